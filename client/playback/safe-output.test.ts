import fc from "fast-check";
import { expect, test } from "vitest";
import { ANY_CHARACTER } from "../../proto/values/testing/any-character.ts";
import { SafeOutput } from "./safe-output.ts";

const filtered = (text: string) => new SafeOutput().filter(text);

test.each([
  ["text", "h\u00e9llo \u{1f600} \u202e"],
  ["line ends, tabs, a bell, backspace", "a\r\n\tb\x07\x08\x0b\x0c"],
  ["colours", "\x1b[0m\x1b[1;38;5;208m\x1b[38:2::1:2:3m\x1b[m"],
  ["cursor", "\x1b[A\x1b[3B\x1b[12;40H\x1b[;5f\x1b[7G\x1b[2d\x1b7\x1b8\x1b[s\x1b[u"],
  ["erasing and shifting", "\x1b[2J\x1b[K\x1b[1K\x1b[?2J\x1b[3X\x1b[2P\x1b[4@\x1b[L\x1b[2M"],
  ["scrolling", "\x1b[5;20r\x1b[r\x1b[2S\x1b[3T\x1bM\x1bD\x1bE"],
  ["the other screen and the cursor", "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?25h\x1b[?1049l\x1b[2 q"],
  ["line drawing", "\x1b(0lqqk\x1b(B\x0e\x0f\x1b)0"],
  ["modes and a soft reset", "\x1b[4h\x1b[4l\x1b[!p\x1b#8"],
])("%s goes through as it is", (_what, text) => {
  expect(filtered(text)).toBe(text);
});

test.each([
  ["the clipboard", "\x1b]52;c;aGFjaw==\x07"],
  ["the clipboard, ended by ST", "\x1b]52;c;aGFjaw==\x1b\\"],
  ["a title", "\x1b]0;rm -rf /\x07"],
  ["a hyperlink", "\x1b]8;;http://evil.example\x1b\\", "\x1b]8;;\x1b\\"],
  ["a colour query", "\x1b]11;?\x07"],
  ["device attributes", "\x1b[c", "\x1b[0c", "\x1b[>c", "\x1b[=c", "\x1bZ"],
  ["status reports", "\x1b[5n", "\x1b[6n", "\x1b[?6n", "\x1b[?15n"],
  ["requests of settings", "\x1bP$qm\x1b\\", "\x1b[?25$p", "\x1b[4$p", "\x1b[x", "\x1b[1x"],
  [
    "terminfo requests, sixels, tmux passthrough",
    "\x1bP+q544e\x1b\\",
    "\x1bPq#0\x1b\\",
    "\x1bPtmux;\x1b\x1b]52;c;x\x07\x1b\\",
  ],
  ["window operations and title reports", "\x1b[21t", "\x1b[18t", "\x1b[8;1;1t", "\x1b[3;0;0t", "\x1b[14t"],
  ["the answerback", "\x05"],
  ["printing", "\x1b[i", "\x1b[5i", "\x1b[?5i"],
  ["checksums of the screen", "\x1b[1;1;1;1;24;80*y"],
  [
    "mouse, focus and paste reports",
    "\x1b[?1000h",
    "\x1b[?1003;1006h",
    "\x1b[?1004h",
    "\x1b[?2004h",
    "\x1b[1;2;3;4;5T",
  ],
  ["keys", "\x1b[?1h", "\x1b=", "\x1b>", "\x1b[>4;2m", "\x1b[>1u", "\x1b[=5u", "\x1b[?u", "\x1b[2h"],
  ["the window's width", "\x1b[?3h"],
  ["a display held still", "\x1b[?2026h"],
  [
    "saved modes, rectangles, macros, keys of its own",
    "\x1b[?1r",
    "\x1b[?1s",
    "\x1b[1;1;2;2$z",
    "\x1b[5*z",
    "\x1bP0;1|17/17\x1b\\",
  ],
  ["other encodings", "\x1b%@", "\x1b%G", "\x1b G", "\x1bn", "\x1bN"],
  ["strings for others", "\x1bXsecret\x1b\\", "\x1b^secret\x1b\\", "\x1b_Ga=q;x\x1b\\"],
  ["eight-bit forms", "\x9d52;c;x\x07", "\x9b6n", "\x90$qm\x9c", "\x9f\x9c", "\x9a"],
  ["what the viewer can scroll back to", "\x1b[3J", "\x1b[?3J", "\x1b[03J", "\x1b[2;3J"],
  ["nothing at all", "\0\x7f\x11\x13"],
])("%s never does", (_what, ...texts) => {
  for (const text of texts) expect(filtered(`<${text}>`)).toBe("<>");
});

test("an allowed sequence in eight-bit form is written in seven", () => {
  expect(filtered("\x9b31mx\x84\x8d")).toBe("\x1b[31mx\x1bD\x1bM");
});

test("a full reset is as much of it as shows, and a count has a limit", () => {
  expect(filtered("\x1bc")).toBe("\x1b[!p\x1b[2J\x1b[H");
  expect(filtered("x\x1b[99999999b")).toBe("x\x1b[9999b");
});

test("of several modes at once the allowed ones stay", () => {
  expect(filtered("\x1b[?1049;1000;25h")).toBe("\x1b[?1049;25h");
});

test("a control inside a sequence is done at once, and an escape breaks it off", () => {
  expect(filtered("\x1b[3\r1mx")).toBe("\r\x1b[31mx");
  expect(filtered("\x1b[3\x1b[1mx")).toBe("\x1b[1mx");
  expect(filtered("\x1b[3\x18 1mx")).toBe(" 1mx");
  expect(filtered("\x1b]0;a\x1b[1mx")).toBe("\x1b[1mx");
  expect(filtered("\x1b]0;a\x1b\x1b\\x")).toBe("x");
  expect(filtered("\x1b[\x05c")).toBe("");
});

test("a sequence that never ends holds nothing back but itself, and what is too long is nothing", () => {
  expect(filtered(`a\x1b[${"1;".repeat(5000)}mb`)).toBe("ab");
  expect(filtered(`a\x1b]${"x".repeat(5000)}`)).toBe("a");
});

/** All that may come out, written down a second time and in another way. */
const ALLOWED = new RegExp(
  [
    "[^\\x00-\\x1f\\x7f-\\x9f]",
    "[\\x07-\\x0f]",
    "\\x1b[78DEMH]",
    "\\x1b[()][AB0]",
    "\\x1b#8",
    "\\x1b\\[[0-9;:]*m",
    "\\x1b\\[!p",
    "\\x1b\\[[0-6]? q",
    "\\x1b\\[[su]",
    "\\x1b\\[\\??[012]?[JK]",
    "\\x1b\\[\\d*[@A-IL-MPS-TXZ`abdeg]",
    "\\x1b\\[\\d*(;\\d*)?[Hfr]",
    "\\x1b\\[(4;)*4[hl]",
    "\\x1b\\[\\?((5|6|7|25|47|1047|1048|1049);)*(5|6|7|25|47|1047|1048|1049)[hl]",
  ].join("|"),
  "uy",
);

function isAllowed(text: string): boolean {
  let at = 0;
  while (at < text.length) {
    ALLOWED.lastIndex = at;
    if (!ALLOWED.test(text)) return false;
    at = ALLOWED.lastIndex;
  }
  return true;
}

/** Garbage that looks like sequences: the characters that mean something, often. */
const CHARACTER = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(..."\x1b\x1b\x1b[[]]PX^_\\;?>=!$\"' *#%()0123456789:chlmnpqrstuxyzTJZ") },
  { weight: 2, arbitrary: fc.constantFrom("\x07", "\x18", "\x05", "\x9b", "\x9d", "\x90", "\x9c", "\r", "\u00e9") },
  { weight: 1, arbitrary: fc.string({ unit: ANY_CHARACTER, minLength: 1, maxLength: 1 }) },
);
const GARBAGE = fc.array(CHARACTER, { maxLength: 60 }).map((characters) => characters.join(""));

test("whatever comes in, only what is allowed comes out", () => {
  fc.assert(
    fc.property(GARBAGE, (text) => {
      expect(isAllowed(filtered(text).toWellFormed())).toBe(true);
    }),
    { numRuns: 20_000 },
  );
});

test("however it is divided, the same comes out", () => {
  fc.assert(
    fc.property(GARBAGE, fc.array(fc.nat(60)), (text, cuts) => {
      const output = new SafeOutput();
      // Between characters: a cast's events hold whole ones.
      const characters = [...text];
      let divided = "";
      let from = 0;
      for (const cut of cuts.toSorted((a, b) => a - b)) {
        divided += output.filter(characters.slice(from, cut).join(""));
        from = Math.max(from, cut);
      }
      divided += output.filter(characters.slice(from).join(""));
      expect(divided).toBe(filtered(text));
    }),
    { numRuns: 5_000 },
  );
});

test("what came out goes through again as it is", () => {
  fc.assert(
    fc.property(GARBAGE, (text) => {
      const once = filtered(text);
      expect(filtered(once)).toBe(once);
    }),
    { numRuns: 5_000 },
  );
});
