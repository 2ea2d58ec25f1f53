import fc from "fast-check";
import { expect, test } from "vitest";
import { newClaimToken } from "../values/claim-token.ts";
import { parseDomainName } from "../values/domain-name.ts";
import { parseEndpoint } from "../values/endpoint.ts";
import { HpsError } from "../values/hps-error.ts";
import { parseHttpsUrl } from "../values/https-url.ts";
import { ANY_CHARACTER } from "../values/testing/any-character.ts";
import { parseTime } from "../values/time.ts";
import { newUuid } from "../values/uuid.ts";
import { readAgentConfig } from "./agent-config.ts";
import { type Claim, formatClaim, parseClaim } from "./claim.ts";

const ROOT = `-----BEGIN CERTIFICATE-----\n${"QUJD".repeat(16)}\nQUI=\n-----END CERTIFICATE-----\n`;
const claim: Claim = {
  token: newClaimToken(),
  installation: newUuid(),
  host: newUuid(),
  grpc: parseEndpoint("hpsd.example.org:7443"),
  https: parseHttpsUrl("https://hpsd.example.org:7444"),
  trustDomain: parseDomainName("lab.example.org"),
  rootCertificate: ROOT,
  serverTime: parseTime("2026-11-20T09:30:00.123Z"),
};

/** What an attempt threw, whole: message, hint, details and all causes. */
function traceOf(text: string): string {
  try {
    parseClaim(text);
  } catch (error) {
    expect(error).toBeInstanceOf(HpsError);
    if (!(error instanceof HpsError)) throw error;
    expect(error.cause).toBeUndefined();
    return `${error.message} ${error.hint} ${JSON.stringify(error.details)}`;
  }
  return "accepted";
}

test("a claim reads back what it writes", () => {
  const times = fc.integer({ min: 0, max: 4e12 }).map((time) => parseTime(new Date(time).toISOString()));
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 4 }), (serverTime, roots) => {
      const one = { ...claim, token: newClaimToken(), serverTime, rootCertificate: ROOT.repeat(roots) };
      expect(parseClaim(formatClaim(one))).toEqual(one);
    }),
  );
  expect(formatClaim(claim)).toContain('"serverTime":"2026-11-20T09:30:00.123Z"');
  expect(parseClaim(formatClaim(claim).replace("{", '{"newer":1,"__proto__":{"x":1},'))).toEqual(claim);
});

test("each field is needed and checked", () => {
  for (const key of Object.keys(claim)) {
    const { [key]: _, ...rest }: Record<string, unknown> = JSON.parse(formatClaim(claim));
    expect(traceOf(JSON.stringify(rest)), key).toContain(`wrong or incomplete: ${key}`);
    expect(traceOf(JSON.stringify({ ...rest, [key]: "\x1b" })), key).toContain(`wrong or incomplete: ${key}`);
  }
  expect(traceOf(formatClaim(claim).replace('"version":1', '"version":2'))).toContain("version 2; this agent reads 1");
  for (const bad of ["", ROOT.slice(0, -2), `x\n${ROOT}`, ROOT.repeat(5), ROOT.replace("QUI=", "-----")]) {
    expect(traceOf(formatClaim({ ...claim, rootCertificate: bad }))).toContain("rootCertificate");
  }
});

test("no error repeats the secret", () => {
  const text = formatClaim(claim);
  fc.assert(
    fc.property(fc.nat(text.length - 2), fc.constantFrom("", "\\", '"', "x", "{", "\0"), (at, put) => {
      const trace = traceOf(text.slice(0, at) + put + text.slice(at + 1));
      for (let start = 0; start + 8 <= claim.token.length; start += 1)
        expect(trace).not.toContain(claim.token.slice(start, start + 8));
    }),
    { numRuns: 500 },
  );
});

test("garbage is no claim", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.json(), fc.string({ unit: ANY_CHARACTER })),
      (text) => void expect(traceOf(text)).not.toBe("accepted"),
    ),
  );
  for (const text of [
    "[".repeat(32_000),
    "x".repeat(40_000),
    formatClaim({ ...claim, rootCertificate: `${"-".repeat(30_000)}` }),
  ]) {
    expect(traceOf(text)).not.toBe("accepted");
  }
});

test("an agent's settings have defaults, bounds and overrides", () => {
  const read = (text: string, sets: string[] = []) =>
    readAgentConfig({ text, file: "agent.yaml", environment: { HPS_AGENT_HEARTBEAT: "5s" }, sets });
  expect(read("")).toEqual({
    state: "/var/lib/hps-agent",
    heartbeat: 5000,
    backoff: { min: 500, max: 30_000 },
    direct: { port: 6979, lostFor: 60_000, sessionSize: 64 * 1024 * 1024, size: 128 * 1024 * 1024 },
    outbox: 8 * 1024 ** 2,
  });
  expect(read("heartbeat: 1s", ["heartbeat=2s"]).heartbeat).toBe(2000);
  expect(() => read("backoff: {min: 1m, max: 30s}")).toThrow("agent.yaml:1:1: `backoff`: min is longer than max");
  expect(() => read("backoff: {mni: 1m}")).toThrow(/did you mean `min`/);
  fc.assert(
    fc.property(fc.string({ unit: ANY_CHARACTER }), (text) => {
      try {
        read("", [`state=${text}`, `heartbeat=${text}`]);
      } catch (error) {
        expect(error).toBeInstanceOf(HpsError);
      }
    }),
  );
});
