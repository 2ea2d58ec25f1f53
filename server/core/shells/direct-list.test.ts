import { expect, test } from "vitest";
import { OPEN_SHELL_POLICY, type ShellPolicy } from "../../store/clusters.ts";
import type { OperatorKey } from "../../store/direct-access.ts";
import type { ShellGrant } from "../../store/shell-grants.ts";
import { checkDirectPolicy, type DirectFacts, isDirect, planDirectList } from "./direct-list.ts";

const NOW = 1_000_000;
const END = NOW + 1000;
const key = (operator: string, role: OperatorKey["binding"]["role"], more: Partial<OperatorKey> = {}): OperatorKey => ({
  ...{ operatorId: `id-${operator}`, operator, publicKey: `key-${operator}`, notAfter: END + 1 },
  binding: { clusterId: "c1", role },
  ...more,
});
const FACTS: DirectFacts = {
  host: { id: "h1", name: "web01", tags: new Map() },
  ...{ cluster: "lab", clusterId: "c1", policy: OPEN_SHELL_POLICY, grants: [], now: NOW, keys: [], listEnd: END },
};
const GRANT: ShellGrant = {
  ...{ id: "g", to: { operatorId: "id-vic" }, on: { hostId: "h1" }, permission: "enter", expiresAt: NOW + 10 },
};

test("whom a role lets in is on it with all keys, a viewer is not", () => {
  const keys = [key("ann", "admin"), key("ann", "admin", { publicKey: "second" }), key("vic", "viewer")];
  expect(planDirectList({ ...FACTS, keys })).toEqual([{ name: "ann", keys: ["key-ann", "second"], until: undefined }]);
});

test("the higher of the role here and everywhere counts, and a key is there once", () => {
  const everywhere = { clusterId: "*", role: "operator" } as const;
  const keys = [key("bob", "viewer"), key("bob", "viewer", { binding: everywhere })];
  expect(planDirectList({ ...FACTS, keys })).toEqual([{ name: "bob", keys: ["key-bob"], until: undefined }]);
});

test("a grant lets in as long as it lasts, on its host and to enter alone", () => {
  const keys = [key("vic", "viewer")];
  expect(planDirectList({ ...FACTS, keys, grants: [GRANT] })).toMatchObject([{ name: "vic", until: NOW + 10 }]);
  const others: Partial<ShellGrant>[] = [{ on: { hostId: "h2" } }, { permission: "watch" }, { expiresAt: NOW }];
  for (const other of others) {
    expect(planDirectList({ ...FACTS, keys, grants: [{ ...GRANT, ...other }] })).toEqual([]);
  }
  expect(planDirectList({ ...FACTS, keys, grants: [{ ...GRANT, expiresAt: END + 5 }] })).toMatchObject([
    { until: undefined },
  ]);
});

test("where grants are needed a role is not enough", () => {
  const policy = { ...OPEN_SHELL_POLICY, access: "grant" } as const;
  expect(planDirectList({ ...FACTS, policy, keys: [key("ann", "admin")] })).toEqual([]);
});

test("a certificate that ends before the list ends with its own key", () => {
  const keys = [key("ann", "operator"), key("ann", "operator", { publicKey: "old", notAfter: NOW + 3 })];
  expect(planDirectList({ ...FACTS, keys })).toEqual([
    { name: "ann", keys: ["key-ann"], until: undefined },
    { name: "ann", keys: ["old"], until: NOW + 3 },
  ]);
});

test.each<[Partial<ShellPolicy>, "strict" | "best-effort", string | undefined]>([
  [{}, "strict", undefined],
  [{ direct: true }, "best-effort", undefined],
  [{ direct: true }, "strict", "precondition"],
  [{ direct: true, strictRecording: true }, "best-effort", "precondition"],
  [{ direct: true, approvalRequired: true }, "best-effort", "invalid"],
])("%j where hpsd records %s: %s", (said, recording, code) => {
  const policy = { ...OPEN_SHELL_POLICY, ...said };
  const check = () => checkDirectPolicy(policy, "lab", recording);
  if (code === undefined) expect(check).not.toThrow();
  else expect(check).toThrow(expect.objectContaining({ code, hint: expect.stringContaining("--shell-direct off") }));
  expect(isDirect(policy, recording)).toBe(said.direct === true && code === undefined);
});
