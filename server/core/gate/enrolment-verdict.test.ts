import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseFacts } from "../../../proto/values/facts.ts";
import type { ClaimRow } from "../../store/claims.ts";
import { OPEN } from "../hosts/life-cycle.ts";
import { type EnrolmentCase, judgeEnrolment } from "./enrolment-verdict.ts";

const NOW = 1_000_000;
const MAC = "52:54:00:00:00:01";
const FACTS = parseFacts({ macs: [MAC], serial: "s1" });
const OTHER_FACTS = parseFacts({ macs: [MAC], serial: "s2" });
const FOREIGN_FACTS = parseFacts({ macs: ["52:54:00:00:00:99"] });

const CLAIM: ClaimRow = {
  id: "c",
  tokenHash: "h",
  installationId: "i",
  hostId: "h",
  mac: MAC,
  address: "10.0.0.9",
  issuedAt: NOW - 10,
  expiresAt: NOW + 10,
  fetchedAt: NOW - 5,
  voidedAt: null,
  voidReason: "",
  publicKey: null,
  pending: null,
  approvedAt: null,
  certificateSerial: null,
};

const GOOD: EnrolmentCase = {
  claim: CLAIM,
  installation: { state: "armed", windowEndAt: NOW + 10, facts: undefined },
  hostMacs: [MAC],
  publicKey: "k1",
  facts: FACTS,
  earlierAgentLives: false,
  admission: "armed",
  now: NOW,
};

const installing = { state: "installing", windowEndAt: NOW - 1, facts: FACTS } as const;
const pending = { at: NOW - 1, address: "10.0.0.9", facts: null };

const CASES: readonly [string, Partial<EnrolmentCase>, object][] = [
  ["the first enrolment in the window", {}, { kind: "issue", first: true }],
  ["without facts", { facts: undefined }, { kind: "issue", first: true }],
  ["an unknown token", { claim: undefined }, { kind: "refuse" }],
  ["a claim that nobody fetched", { claim: { ...CLAIM, fetchedAt: null } }, { kind: "refuse" }],
  ["an installation that has ended", { installation: undefined }, { kind: "refuse" }],
  ["an expired claim", { claim: { ...CLAIM, expiresAt: NOW } }, { kind: "refuse" }],
  [
    "a window that is over",
    { installation: { state: "armed", windowEndAt: NOW, facts: undefined } },
    { kind: "refuse" },
  ],
  ["another host's facts", { facts: FOREIGN_FACTS }, { kind: "refuse" }],
  [
    "a lost reply: same claim, same key",
    {
      claim: { ...CLAIM, publicKey: "k1", certificateSerial: "aa" },
      installation: installing,
      earlierAgentLives: true,
    },
    { kind: "repeat" },
  ],
  [
    "a spent claim with another key",
    { claim: { ...CLAIM, publicKey: "k2", certificateSerial: "aa" }, installation: installing },
    { kind: "freeze" },
  ],
  [
    "a claim that was fetched, after a newer one was given",
    { claim: { ...CLAIM, voidedAt: NOW - 1 } },
    { kind: "freeze" },
  ],
  ["the same machine in the middle", { installation: installing }, { kind: "issue", first: false }],
  [
    "the same machine of a failed host",
    { installation: { ...installing, state: "failed" } },
    { kind: "issue", first: false },
  ],
  ["another machine in the middle", { installation: installing, facts: OTHER_FACTS }, { kind: "freeze" }],
  ["facts kept back in the middle", { installation: installing, facts: undefined }, { kind: "freeze" }],
  [
    "a machine while the earlier agent lives",
    { installation: installing, earlierAgentLives: true },
    { kind: "freeze" },
  ],
  [
    "any machine after a freeze was lifted",
    { installation: { ...installing, state: "interrupted", facts: undefined }, facts: OTHER_FACTS },
    { kind: "issue", first: false },
  ],
  ["approve: the first try", { admission: "approve" }, { kind: "ask", first: true }],
  [
    "approve: asking again",
    { admission: "approve", claim: { ...CLAIM, publicKey: "k1", pending, expiresAt: NOW - 1 } },
    { kind: "ask", first: false },
  ],
  [
    "approve: another key while one waits",
    { admission: "approve", claim: { ...CLAIM, publicKey: "k2", pending } },
    { kind: "freeze" },
  ],
  [
    "approve: approved",
    { admission: "approve", claim: { ...CLAIM, publicKey: "k1", pending, approvedAt: NOW } },
    { kind: "issue", first: true },
  ],
];

describe("an enrolment is judged", () => {
  test.each(CASES)("%s", (_, change, expected) => {
    expect(judgeEnrolment({ ...GOOD, ...change })).toMatchObject(expected);
  });
});

const anyCase: fc.Arbitrary<EnrolmentCase> = fc.record({
  claim: fc
    .option(
      fc.record({
        fetched: fc.boolean(),
        voided: fc.boolean(),
        expired: fc.boolean(),
        publicKey: fc.constantFrom(null, "k1", "k2"),
        pending: fc.boolean(),
        approved: fc.boolean(),
        serial: fc.constantFrom(null, "aa"),
      }),
      { nil: undefined },
    )
    .map(
      (c) =>
        c && {
          ...CLAIM,
          fetchedAt: c.fetched ? NOW - 5 : null,
          voidedAt: c.voided ? NOW - 1 : null,
          expiresAt: c.expired ? NOW - 1 : NOW + 10,
          publicKey: c.publicKey,
          pending: c.pending ? pending : null,
          approvedAt: c.approved ? NOW : null,
          certificateSerial: c.serial,
        },
    ),
  installation: fc.option(
    fc.record({
      state: fc.constantFrom(...OPEN.filter((state) => state !== "rebooting")),
      windowEndAt: fc.constantFrom(NOW - 1, NOW + 10),
      facts: fc.constantFrom(undefined, FACTS, OTHER_FACTS),
    }),
    { nil: undefined },
  ),
  hostMacs: fc.constant([MAC]),
  publicKey: fc.constant("k1"),
  facts: fc.constantFrom(undefined, FACTS, OTHER_FACTS, FOREIGN_FACTS),
  earlierAgentLives: fc.boolean(),
  admission: fc.constantFrom("armed" as const, "approve" as const),
  now: fc.constant(NOW),
});

test("whatever the case, a certificate needs a good claim, one key, one machine, and approval where that is the rule", () => {
  fc.assert(
    fc.property(anyCase, (ask) => {
      const verdict = judgeEnrolment(ask);
      if (verdict.kind !== "issue") return;
      const { claim, installation } = ask;
      void expect(claim).toMatchObject({ voidedAt: null, certificateSerial: null });
      void expect(claim?.fetchedAt).not.toBeNull();
      void expect(claim?.publicKey === null || claim?.publicKey === ask.publicKey).toBe(true);
      void expect(ask.admission === "armed" || claim?.approvedAt !== null).toBe(true);
      void expect(installation?.state).not.toBe("frozen");
      void expect(ask.facts).not.toBe(FOREIGN_FACTS);
      if (!verdict.first) void expect(ask.earlierAgentLives).toBe(false);
      else void expect(installation?.windowEndAt).toBeGreaterThan(NOW);
    }),
    { numRuns: 5_000 },
  );
});
