import fc from "fast-check";
import { expect, test } from "vitest";
import { quote, safeBytes, safeText } from "./safe-text.ts";
import { ANY_CHARACTER } from "./testing/any-character.ts";

const HOSTILE = [
  ...Array.from({ length: 0x20 }, (_, code) => code),
  ...Array.from({ length: 0x21 }, (_, index) => 0x7f + index),
  ...[0x061c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069],
  ...[0xd800, 0xdbff, 0xdc00, 0xdfff],
].map((code) => String.fromCharCode(code));

const mixed = fc
  .array(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: "grapheme", maxLength: 3 })), { maxLength: 40 })
  .map((parts) => parts.join(""));

function holdsNothingHostile(text: string): void {
  expect(text.isWellFormed()).toBe(true);
  for (const character of HOSTILE.slice(0, -4)) expect(text.includes(character)).toBe(false);
}

test("nothing that moves, hides or reorders is left", () => {
  fc.assert(
    fc.property(fc.oneof(mixed, fc.string({ unit: ANY_CHARACTER })), (text) => holdsNothingHostile(safeText(text))),
  );
  fc.assert(fc.property(mixed, (text) => holdsNothingHostile(quote(text))));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const shown = safeBytes(bytes);
      holdsNothingHostile(shown);
      expect(shown).not.toContain("\ufffd");
    }),
  );
});

test("printable text stays as it is", () => {
  const printable = fc
    .string({ unit: "grapheme" })
    .filter((text) => HOSTILE.every((character) => !text.includes(character)));
  fc.assert(
    fc.property(printable, (text) => {
      expect(safeText(text)).toBe(text);
      expect(safeBytes(Buffer.from(text))).toBe(text);
    }),
  );
  expect(safeText("naïve – 日本 👩‍👩‍👧 \\x1b")).toBe("naïve – 日本 👩‍👩‍👧 \\x1b");
});

test("each hostile character is written as its number", () => {
  expect(safeText("a\x1b[2Jb\x9b1m\x7f\u202e\u2066\ud800\r\n\t")).toBe(
    "a\\x1b[2Jb\\x9b1m\\x7f\\u202e\\u2066\\ud800\\x0d\\x0a\\x09",
  );
  expect(safeText("a\tb\r\n\x1b", { keepLayout: true })).toBe("a\tb\\x0d\n\\x1b");
  expect(quote('say "hi" \\ \x07')).toBe('"say \\"hi\\" \\\\ \\x07"');
  expect(quote("x".repeat(100), 3)).toBe('"xxx…"');
});

test("bytes that are not UTF-8 are shown one by one, and the text around them is kept", () => {
  const bytes = Buffer.concat([
    Buffer.from("é"),
    Buffer.from([0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80]),
    Buffer.from("日\x1b"),
  ]);
  expect(safeBytes(bytes)).toBe("é\\xff\\xc0\\x80\\xed\\xa0\\x80日\\x1b");
  expect(safeBytes(Buffer.from([0xf4, 0x90, 0x80, 0x80]))).toBe("\\xf4\\x90\\x80\\x80");
});

test("a large hostile buffer is shown without exhausting the matcher", () => {
  const bytes = Buffer.concat([Buffer.alloc(3_000_000, "é"), Buffer.from([0xff])]);
  expect(safeBytes(bytes).length).toBe(1_500_004);
});
