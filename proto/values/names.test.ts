import fc from "fast-check";
import { expect, test } from "vitest";
import { digestOf, parseDigest } from "./digest.ts";
import { parseDomainName } from "./domain-name.ts";
import { parseHostName } from "./host-name.ts";
import { imageRefParts, parseImageRef } from "./image-ref.ts";
import { parseObjectName } from "./object-name.ts";
import { formatTag, parseTag, parseTagValue } from "./tag.ts";
import { ANY_CHARACTER } from "./testing/any-character.ts";

const letter = fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz");
const inner = fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789-");
const label = fc
  .tuple(letter, fc.string({ unit: inner, maxLength: 60 }), letter)
  .map((parts) => parts.join(""))
  .filter((text) => !["infinite", "ignore", "localhost"].includes(text));

test("every label in any case is one host name", () => {
  fc.assert(
    fc.property(label, (text) => {
      expect(parseHostName(text)).toBe(text);
      expect(parseHostName(text.toUpperCase())).toBe(text);
    }),
  );
  for (const text of ["3com", "a", "1-2", "0xy", "10mm", `a${"b".repeat(62)}`]) expect(parseHostName(text)).toBe(text);
});

test("a host name is one label that no program reads as something else", () => {
  const refused = ["", "-a", "a-", "a.b", "a_b", "a b", "a\n", "ä", "\u212aelvin", "a".repeat(64), "..", "*"];
  const misread = ["123", "10m", "1W", "45s", "0x7f", "0X", "Infinite", "ignore", "localhost"];
  for (const text of refused) expect(() => parseHostName(text), text).toThrow(/not a host name/);
  for (const text of misread) expect(() => parseHostName(text), text).toThrow(/would be read as/);
});

test("a domain name is labels with dots, and never looks like an address", () => {
  fc.assert(
    fc.property(fc.array(label, { minLength: 1, maxLength: 3 }), (labels) => {
      const name = labels.join(".");
      expect(parseDomainName(name)).toBe(name);
      expect(parseDomainName(`${name.toUpperCase()}.`)).toBe(name);
    }),
  );
  expect(parseDomainName("10.in-addr.arpa")).toBe("10.in-addr.arpa");
  const long = `${"a".repeat(63)}.`.repeat(4);
  for (const text of ["", ".", "a..b", ".a", "a..", "1.2.3.4", "127.1", "a.0x7f", "a_b.c", long, "a.b\n"]) {
    expect(() => parseDomainName(text), text).toThrow(/not a domain name/);
  }
});

test("an object's name is its only spelling", () => {
  fc.assert(fc.property(label, (text) => void expect(parseObjectName(text)).toBe(text)));
  for (const text of ["", "1a", "-a", "a-", "A", "a.b", "a/b", "..", "a".repeat(64), "a\n"]) {
    expect(() => parseObjectName(text, "cluster name"), text).toThrow(/not a cluster name/);
  }
});

test("a digest is what SHA-256 says, in one spelling", () => {
  expect(digestOf("abc")).toBe("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const digest = digestOf(bytes);
      expect(parseDigest(digest)).toBe(digest);
      for (const text of [digest.toUpperCase(), digest.slice(7), `${digest}0`, digest.slice(0, -1), `${digest}\n`]) {
        expect(() => parseDigest(text)).toThrow(/not a digest/);
      }
    }),
  );
});

test("a tag's value comes back byte for byte", () => {
  const value = fc.string({ unit: ANY_CHARACTER, maxLength: 64 }).filter((text) => Buffer.byteLength(text) <= 256);
  const awkward = fc.constantFrom("", "007", "1.10", "null", "=", "a=b", '"', "\u0000", " x ", "2001-01-01");
  fc.assert(
    fc.property(label, fc.oneof(value, awkward), (key, text) => {
      const tag = parseTag(`${key}=${text}`);
      expect(tag).toEqual({ key, value: text });
      expect(formatTag(tag)).toBe(`${key}=${text}`);
    }),
  );
  expect(parseTagValue("é".repeat(128))).toHaveLength(128);
  for (const text of ["é".repeat(129), "\ud800"]) expect(() => parseTagValue(text)).toThrow(/tag's value/);
  for (const text of ["key", "=x", "Key=x", "k y=x", "k/=x"]) expect(() => parseTag(text), text).toThrow(/not a tag/);
});

test("an image's name has a name and a tag", () => {
  const good = ["debian:12", "a/b-c/d_e.f:V1.2-x_y", `${"a".repeat(128)}:${"t".repeat(128)}`];
  for (const text of good) {
    const ref = parseImageRef(text);
    const { name, tag } = imageRefParts(ref);
    expect(`${name}:${tag}`).toBe(text);
  }
  const bad = ["debian", "debian:", ":12", "Debian:12", "a//b:1", "/a:1", "a/:1", "a..b:1", "../a:1", "a:.1", "a:1:2"];
  for (const text of [...bad, "a:1\n", `${"a".repeat(129)}:1`]) {
    expect(() => parseImageRef(text), text).toThrow(/not an image's name/);
  }
});
