import fc from "fast-check";
import { expect, test } from "vitest";
import { OPEN_SHELL_POLICY } from "../../store/clusters.ts";
import type { ShellGrant } from "../../store/shell-grants.ts";
import { atLeast, type Role } from "../identity/principal.ts";
import { decideOpening, noRight, rightEnded, rightOf, type ShellFacts, type ShellWish } from "./shell-policy.ts";

const NOW = 1_000_000;
const FACTS: ShellFacts = {
  operator: { id: "o1", name: "bob" },
  role: "viewer",
  host: {
    id: "h1",
    name: "web01",
    tags: new Map([
      ["rack", "r1"],
      ["env", "dev"],
    ]),
  },
  cluster: "lab",
  clusterId: "c1",
  policy: OPEN_SHELL_POLICY,
  grants: [],
  now: NOW,
};
const BY_GRANT = { ...OPEN_SHELL_POLICY, access: "grant" } as const;
const GRANT: ShellGrant = {
  id: "g",
  to: { operatorId: "o1" },
  on: { hostId: "h1" },
  permission: "enter",
  expiresAt: null,
};
const tags = (...pairs: [string, string][]) => ({ tags: new Map(pairs) });

test.each([
  ["viewer", "role", undefined],
  ["operator", "role", { by: "role" }],
  ["admin", "role", { by: "role" }],
  ["operator", "grant", undefined],
  ["admin", "grant", undefined],
] as const)("a %s without a grant, where the cluster lets in by %s", (role, access, right) => {
  const facts: ShellFacts = { ...FACTS, role, policy: { ...OPEN_SHELL_POLICY, access } };
  expect(rightOf(facts, "enter")).toEqual(right);
  expect(rightOf(facts, "watch")).toEqual(right);
});

test.each<[string, Partial<ShellGrant>, Role | undefined, "" | "watch" | "watch enter"]>([
  ["to the operator on the host", {}, "viewer", "watch enter"],
  ["to watch", { permission: "watch" }, "viewer", "watch"],
  ["to another operator", { to: { operatorId: "o2" } }, "viewer", ""],
  ["to all viewers", { to: { role: "viewer" } }, "viewer", "watch enter"],
  ["to all viewers, asked by an admin", { to: { role: "viewer" } }, "admin", "watch enter"],
  ["to all operators, asked by a viewer", { to: { role: "operator" } }, "viewer", ""],
  ["to who has no role in the cluster any more", {}, undefined, ""],
  ["on another host", { on: { hostId: "h2" } }, "viewer", ""],
  ["on a tag the host has", { on: tags(["rack", "r1"]) }, "viewer", "watch enter"],
  ["on two tags of which it has one", { on: tags(["rack", "r1"], ["env", "prod"]) }, "viewer", ""],
  ["on a tag it has not", { on: tags(["role", "r1"]) }, "viewer", ""],
  ["on every host", { on: tags() }, "viewer", "watch enter"],
  ["that ends now", { expiresAt: NOW }, "viewer", ""],
  ["that ends in a moment", { expiresAt: NOW + 1 }, "viewer", "watch enter"],
])("a grant %s", (_what, grant, role, may) => {
  const facts = { ...FACTS, role, policy: BY_GRANT, grants: [{ ...GRANT, ...grant }] };
  const wishes = ["watch", "enter"] as const;
  expect(wishes.filter((wish) => rightOf(facts, wish) !== undefined).join(" ")).toBe(may);
});

test("of several grants the one that lasts longest counts", () => {
  const until = (id: string, expiresAt: number | null) => ({ ...GRANT, id, expiresAt });
  const some = [until("a", NOW + 5), until("b", NOW + 9), until("c", NOW - 1)];
  expect(rightOf({ ...FACTS, grants: some }, "enter")).toEqual({ by: "grant", grant: "b", until: NOW + 9 });
  expect(rightOf({ ...FACTS, grants: [...some, until("d", null)] }, "enter")).toMatchObject({
    grant: "d",
    until: null,
  });
});

const grantOf = fc.record({
  id: fc.uuid(),
  to: fc.oneof(
    fc.constantFrom("o1", "o2").map((operatorId) => ({ operatorId })),
    fc.constantFrom<Role>("viewer", "operator", "admin").map((role) => ({ role })),
  ),
  on: fc.oneof(
    fc.constantFrom("h1", "h2").map((hostId) => ({ hostId })),
    fc.constant(tags(["rack", "r1"])),
  ),
  permission: fc.constantFrom("enter" as const, "watch" as const),
  expiresAt: fc.option(fc.integer({ min: NOW - 2, max: NOW + 2 })),
});

test("a grant never takes away, entering includes watching, and a higher role never has less", () => {
  const roles = fc.constantFrom<Role | undefined>(undefined, "viewer", "operator", "admin");
  fc.assert(
    fc.property(fc.array(grantOf), grantOf, roles, fc.constantFrom("role", "grant"), (grants, more, role, access) => {
      const facts: ShellFacts = { ...FACTS, role, grants, policy: { ...OPEN_SHELL_POLICY, access } };
      const may = (change: Partial<ShellFacts>, wish: ShellWish) =>
        rightOf({ ...facts, ...change }, wish) !== undefined;
      for (const wish of ["enter", "watch"] as const) {
        if (may({}, wish)) expect(may({ grants: [...grants, more] }, wish)).toBe(true);
        if (may({}, wish) && role !== undefined) expect(may({ role: "admin" }, wish)).toBe(true);
        if (role === undefined) expect(may({}, wish)).toBe(false);
        if (access === "grant" && may({}, wish)) expect(grants.length).toBeGreaterThan(0);
        if (access === "role" && atLeast(role, "operator")) expect(may({}, wish)).toBe(true);
      }
      if (may({}, "enter")) expect(may({}, "watch")).toBe(true);
    }),
  );
});

test("a session's terms are the cluster's", () => {
  const terms = { timeLimit: 3, idleLimit: 2, recordInput: true, strictRecording: true };
  const facts: ShellFacts = { ...FACTS, role: "operator", policy: { ...OPEN_SHELL_POLICY, ...terms } };
  expect(decideOpening(facts, { reason: "" })).toEqual({ kind: "allowed", right: { by: "role" }, terms });
  const approved = { ...facts, policy: { ...facts.policy, approvalRequired: true } };
  expect(decideOpening(approved, { reason: "" })).toEqual({ kind: "approval", right: { by: "role" }, terms });
});

test.each(["", " \t"])("a reason that is required and %j is a refusal that says how to give one", (reason) => {
  const policy = { ...OPEN_SHELL_POLICY, reasonRequired: true, approvalRequired: true };
  const facts: ShellFacts = { ...FACTS, role: "operator", policy };
  expect(decideOpening(facts, { reason })).toMatchObject({
    kind: "refused",
    error: { code: "precondition", message: "cluster lab lets nobody into a shell without a reason" },
  });
  expect(decideOpening(facts, { reason: "why" })).toMatchObject({ kind: "approval" });
});

test("a refusal says what is missing, and the command that would give it", () => {
  expect(decideOpening(FACTS, { reason: "" })).toMatchObject({
    kind: "refused",
    error: {
      code: "denied",
      message: "you may not enter shells of host lab/web01: this needs role operator in cluster lab, or a grant",
      hint: "ask an admin of the cluster for: hpsctl grant add --operator bob --host lab/web01 --can enter --for 8h",
    },
  });
  expect(noRight({ ...FACTS, role: "admin", policy: BY_GRANT }, "watch").message).toBe(
    "you may not watch shells of host lab/web01: cluster lab lets nobody in without a grant, and there is none for this",
  );
  expect(rightEnded(FACTS, "enter")).toBe(
    "bob may no longer enter shells of host lab/web01: this needs role operator in cluster lab, or a grant",
  );
});
