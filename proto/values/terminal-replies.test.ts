import fc from "fast-check";
import { expect, test } from "vitest";
import { TerminalKeys } from "./terminal-replies.ts";

/** What is typed of pieces that come one after the other, and of what they leave. */
function keysOf(...pieces: readonly string[]): string {
  const filter = new TerminalKeys();
  const keys = pieces.map((piece) => filter.take(Buffer.from(piece, "latin1")));
  return Buffer.concat([...keys, filter.settle()]).toString("latin1");
}

const REPLIES = [
  "\x1b[?62;4c",
  "\x1b[>1;3600;0c",
  "\x1b[12;40R",
  "\x1b[?12;40;1R",
  "\x1b[0n",
  "\x1b[?997;1n",
  "\x1b[?2026;2$y",
  "\x1b[?1u",
  "\x1b[4;768;1024t",
  "\x1b[2;1;1;112;112;1;0x",
  "\x1b[I",
  "\x1b]11;rgb:0000/0000/0000\x07",
  "\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
  `\x1b]52;c;${"QUJD".repeat(500)}\x1b\\`,
  "\x1bP>|xterm(388)\x1b\\",
  "\x1bP!|00000000\x1b\\",
  "\x1bP1+r524742=38\x1b\\",
  "\x1b_Gi=31;OK\x1b\\",
];
const KEYS = [
  "\x1b",
  "\x1b[A",
  "\x1bOA",
  "\x1b[3~",
  "\x1b[1;5C",
  "\x1b[200~x\x1b[201~",
  "\x1b[<0;10;20M",
  "\x1b[97;5u",
  "\x1bb",
  "\x1b]",
  "\x1b[",
  "\x1b[Z",
  "\xff\0~",
];

test.each(REPLIES)("%j is an answer of a terminal, also among keys", (reply) => {
  expect(keysOf(reply)).toBe("");
  expect(keysOf(`ls ${reply}-l${reply}`)).toBe("ls -l");
});

test.each(KEYS)("%j is typed, or begins with what is not", (keys) => {
  expect(keysOf(keys)).toBe(keys);
});

test("one that looks like an answer goes with them: Shift-F3", () => {
  expect(keysOf("\x1b[1;2R\x1b")).toBe("\x1b");
});

test("what may become an answer waits for what follows, and was typed when nothing does", () => {
  const filter = new TerminalKeys();
  expect(String(filter.take(Buffer.from("a\x1b")))).toBe("a");
  expect(filter.isOpen).toBe(true);
  expect(String(filter.settle())).toBe("\x1b");
  expect(filter.isOpen).toBe(false);
  filter.take(Buffer.from("\x1b]11;rgb:00"));
  expect([String(filter.settle()), filter.isOpen]).toEqual(["", false]);
  expect(String(filter.take(Buffer.from("typed")))).toBe("typed");
});

test("an answer that another escape breaks off is over", () => {
  expect(keysOf("\x1b]11;rgb:00\x1b[Ax")).toBe("\x1b[Ax");
});

test("however it is divided, no byte of an answer is typed, and every key is", () => {
  const letters = fc.constantFrom("a", "ls -l\r", "\x03", "\xe9", "~");
  const typed = fc.oneof(letters, fc.constantFrom(...KEYS.filter((key) => key.length > 2)));
  const sent = fc.array(fc.oneof(typed, fc.constantFrom(...REPLIES)), { maxLength: 12 });
  fc.assert(
    fc.property(sent, fc.array(fc.nat(400)), (parts, cuts) => {
      const all = parts.join("");
      const places = [0, ...cuts.filter((cut) => cut < all.length).toSorted((a, b) => a - b), all.length];
      const pieces = places.slice(1).map((end, index) => all.slice(places[index], end));
      const keys = parts.filter((part) => !REPLIES.includes(part)).join("");
      expect(keysOf(...pieces)).toBe(keys);
    }),
    { numRuns: 3000 },
  );
});
