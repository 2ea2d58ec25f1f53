import fc from "fast-check";
import { expect, test } from "vitest";
import { identityText, identityUri, type PeerIdentity, parseIdentityUri, parseTrustDomainUri } from "./identity.ts";

const trustDomain = fc.stringMatching(/^[a-z0-9._-]{1,255}$/);
const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/).filter((text) => text !== "." && text !== "..");
const identity: fc.Arbitrary<PeerIdentity> = fc.oneof(
  fc.record({ kind: fc.constantFrom("operator" as const, "server" as const), name }),
  fc.record({ kind: fc.constantFrom("host" as const, "installer" as const), id: fc.uuid() }),
);

test("what is written is what is read", () => {
  fc.assert(
    fc.property(trustDomain, identity, (domain, peer) => {
      const uri = identityUri(domain, peer);
      expect(uri.length).toBeLessThan(2048);
      expect(parseIdentityUri(uri)).toEqual({ trustDomain: domain, identity: peer });
      expect(() => parseTrustDomainUri(uri)).toThrow(/not a trust domain URI/);
    }),
  );
});

test("a URI has one spelling: whatever is read is written back the same", () => {
  const piece = fc.constantFrom(
    "spiffe:",
    "//",
    "/",
    "example.org",
    "operator",
    "host",
    "%61",
    "a",
    "..",
    ":1",
    "@",
    "?",
    "#",
    "\n",
    "Ä",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map((pieces) => pieces.join("")),
      ),
      (text) => {
        let read: ReturnType<typeof parseIdentityUri> | undefined;
        try {
          read = parseIdentityUri(text);
        } catch (error) {
          expect(error).toMatchObject({ name: "HpsError", code: "invalid" });
        }
        if (read !== undefined) expect(identityUri(read.trustDomain, read.identity)).toBe(text);
      },
    ),
    { numRuns: 1000 },
  );
});

test.each([
  "spiffe://example.org",
  "spiffe://example.org/",
  "spiffe://example.org/operator",
  "spiffe://example.org/operator/",
  "spiffe://example.org/operator/alice/",
  "spiffe://example.org/operator/alice/x",
  "spiffe://example.org//alice",
  "spiffe:///operator/alice",
  "spiffe://example.org/operator/.",
  "spiffe://example.org/operator/..",
  "spiffe://example.org/operator/al%69ce",
  "spiffe://example.org/operator/alice?x",
  "spiffe://example.org/operator/alice#x",
  "spiffe://example.org/operator/alice\n",
  "spiffe://example.org/operator/älice",
  `spiffe://example.org/operator/${"a".repeat(65)}`,
  "spiffe://example.org/Operator/alice",
  "spiffe://example.org/admin/alice",
  "spiffe://Example.org/operator/alice",
  "spiffe://example.org:1/operator/alice",
  "spiffe://user@example.org/operator/alice",
  "SPIFFE://example.org/operator/alice",
  "https://example.org/operator/alice",
  "spiffe://example.org/host/web01",
  "spiffe://example.org/host/01900000-0000-7000-8000-00000000000A",
])("%j is refused", (uri) => {
  expect(() => parseIdentityUri(uri)).toThrow(/^not a /);
});

test("what cannot be read is not written", () => {
  expect(() => identityUri("Example.org", { kind: "operator", name: "alice" })).toThrow(/trust domain/);
  expect(() => identityUri("example.org", { kind: "operator", name: "a/b" })).toThrow(/operator name/);
  expect(() => identityUri("example.org", { kind: "host", id: "web01" })).toThrow(/host id/);
  expect(identityText({ kind: "operator", name: "alice" })).toBe("operator alice");
});
