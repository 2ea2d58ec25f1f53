import fc from "fast-check";
import { expect, test } from "vitest";
import { parseAbsolutePath } from "./absolute-path.ts";
import { decodeBase64url } from "./base64url.ts";
import { parseClaimToken } from "./claim-token.ts";
import { parseDigest } from "./digest.ts";
import { parseDomainName } from "./domain-name.ts";
import { parseDuration } from "./duration.ts";
import { parseEndpoint, parseListenEndpoint, parsePort, parseServerName } from "./endpoint.ts";
import { parseHostName } from "./host-name.ts";
import { parseHostSet } from "./host-set.ts";
import { HpsError } from "./hps-error.ts";
import { parseHttpsUrl } from "./https-url.ts";
import { parseImageRef } from "./image-ref.ts";
import { parseInterfaceName } from "./interface-name.ts";
import { parseIpAddress, parseIpv4, parseIpv6 } from "./ip-address.ts";
import { parseIpv4Network } from "./ipv4-network.ts";
import { parseObjectName } from "./object-name.ts";
import { parseSize } from "./size.ts";
import { parseTag, parseTagKey, parseTagValue } from "./tag.ts";
import { ANY_CHARACTER } from "./testing/any-character.ts";
import { parseTime, parseTimeOrAgo } from "./time.ts";
import { parseUuid } from "./uuid.ts";
import { parseVersion } from "./version.ts";

const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  parseAbsolutePath,
  parseClaimToken,
  parseDigest,
  parseDomainName,
  parseDuration,
  parseEndpoint,
  parseHostName,
  parseHostSet,
  parseHttpsUrl,
  parseImageRef,
  parseInterfaceName,
  parseIpAddress,
  parseIpv4,
  parseIpv4Network,
  parseIpv6,
  parseListenEndpoint,
  parseObjectName: (text) => parseObjectName(text),
  parsePort,
  parseServerName,
  parseSize,
  parseTag,
  parseTagKey,
  parseTagValue,
  parseTime,
  parseTimeOrAgo: (text) => parseTimeOrAgo(text, Date.now()),
  parseUuid,
  parseVersion,
  decodeBase64url: (text) => decodeBase64url(text, "it"),
};

/** Text that comes close: the letters and signs the grammars are made of. */
const near = fc.string({
  unit: fc.constantFrom(..."0123456789abfghmsxKiBTZ.:/-,[]@=%+ \n\u0000\u212a\ud800"),
  maxLength: 80,
});
const LONG = [
  "0",
  "a",
  "-",
  ".",
  ":",
  ",",
  "[",
  "[1",
  "1-",
  "a.",
  "0:",
  "1,",
  "[1-9]",
  "a[1-2]",
  "@a,",
  "=",
  "1d",
  "\n",
];

for (const [name, parse] of Object.entries(PARSERS)) {
  const refusesPolitely = (text: string) => {
    try {
      parse(text);
    } catch (error) {
      expect(error).toBeInstanceOf(HpsError);
      if (!(error instanceof HpsError)) return;
      expect(error.code).toBe("invalid");
      expect(error.message.length + error.hint.length).toBeLessThan(500);
      expect(`${error.message}${error.hint}`).not.toMatch(/[\p{Cc}\p{Cs}\u202e]/u);
    }
  };

  test(`${name} throws nothing but a short, printable HpsError`, () => {
    fc.assert(fc.property(fc.oneof(near, fc.string({ unit: ANY_CHARACTER }), fc.string()), refusesPolitely), {
      numRuns: 400,
    });
    fc.assert(fc.property(fc.uint8Array(), (bytes) => refusesPolitely(Buffer.from(bytes).toString("latin1"))));
  });

  test(`${name} takes no time over long text`, { timeout: 10_000 }, () => {
    for (const piece of LONG) refusesPolitely(piece.repeat(Math.floor(60_000 / piece.length)));
    for (const piece of LONG) refusesPolitely(`${piece.repeat(100_000)}!`);
  });
}
