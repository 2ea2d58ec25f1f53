import { expect, test } from "vitest";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { callerOf, hostCaller, operatorCaller } from "../testing/callers.ts";
import { expiryOf, LiveCalls } from "./live-calls.ts";
import type { Caller, Role } from "./principal.ts";

const HOST = { hostId: "01900000-0000-7000-8000-000000000001", clusterId: "c1" };
const revoked = new HpsError("unauthenticated", "your certificate is revoked");

/** A server that has these calls open; what it ended, by position. */
function serverOf(live: LiveCalls, ...callers: Caller[]) {
  const ended: [number, HpsError][] = [];
  live.connect((which, reason) => {
    for (const [index, caller] of callers.entries()) if (which(caller)) ended.push([index, reason]);
  });
  return ended;
}

test("a revoked certificate's calls end on every server, others go on", () => {
  const live = new LiveCalls();
  const [caller, other] = [hostCaller(HOST), operatorCaller("admin")];
  const nobody = callerOf({ kind: "nobody" });
  const servers = [serverOf(live, nobody, caller, other), serverOf(live, other, caller)];
  live.certificatesEnded([caller.principal.certificate.fingerprint], revoked);
  expect(servers).toEqual([[[1, revoked]], [[1, revoked]]]);
});

test("a call expires with its certificate", () => {
  expect(expiryOf(callerOf({ kind: "nobody" }))).toBeUndefined();
  const { principal } = hostCaller(HOST);
  const certificate = { ...principal.certificate, notAfter: 5000 };
  expect(expiryOf(callerOf({ ...principal, certificate }))).toEqual(new Date(5000));
});

const ROLES: readonly [string, Record<string, Role>, Record<string, Role> | undefined, string | undefined][] = [
  ["more ends nothing", { c1: "viewer" }, { c1: "admin", c2: "viewer" }, undefined],
  ["the same everywhere ends nothing", { c1: "viewer" }, { "*": "viewer" }, undefined],
  ["less in one cluster", { c1: "operator", c2: "viewer" }, { c1: "viewer", c2: "admin" }, "aborted"],
  ["everywhere to one cluster", { "*": "viewer" }, { c1: "admin" }, "aborted"],
  ["none", { c1: "viewer" }, {}, "aborted"],
  ["gone", { c1: "viewer" }, undefined, "unauthenticated"],
];

test.each(ROLES)("a change of roles: %s", (_name, before, after, code) => {
  const live = new LiveCalls();
  const { principal } = operatorCaller("viewer");
  const ended = serverOf(live, callerOf({ ...principal, roles: new Map(Object.entries(before)) }));
  live.operatorChanged("bob", undefined);
  live.operatorChanged("alice", after && new Map(Object.entries(after)));
  expect(ended.map(([, reason]) => reason.code)).toEqual(code === undefined ? [] : [code]);
});
