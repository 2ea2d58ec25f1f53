import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { ScreenModes } from "./screen-modes.ts";

function after(...pieces: readonly (string | Uint8Array)[]): ScreenModes {
  const modes = new ScreenModes();
  for (const piece of pieces) modes.feed(typeof piece === "string" ? Buffer.from(piece) : piece);
  return modes;
}

/** What vim sends on its way in, up to its modifyOtherKeys and cursor shape. */
const VIM =
  "\x1b[?1049h\x1b[22;0;0t\x1b[>4;2m\x1b[?1h\x1b=\x1b[?2004h\x1b[?1004h\x1b[1;24r\x1b[?12h\x1b[?25l\x1b[2 q\x1b[38;5;242m";
const VIM_UNDONE = "\x1b[>4m\x1b>\x1b7\x1b[r\x1b8\x1b[?1049l\x1b[?1l\x1b[?2004l\x1b[?1004l\x1b[?25h\x1b[0 q\x1b[0m";

test("a program that is cut off is undone, in all it switched on", () => {
  expect(after(VIM).undo()).toBe(VIM_UNDONE);
  expect(after(VIM).isFullScreen).toBe(true);
});

test("one that put back everything itself needs nothing", () => {
  const modes = after(VIM, "\x1b[?1004l\x1b[?2004l\x1b[?1l\x1b>\x1b[>4;m\x1b[r\x1b[0 q\x1b[m\x1b[?25h\x1b[?1049l");
  expect(modes.undo()).toBe("");
  expect(modes.isFullScreen).toBe(false);
});

test.each([
  ["plain text\r\n\x1b[2J\x1b[H\x1b]0;title\x07", ""],
  ["\x1b[?1000;1006;25h", "\x1b[?1000l\x1b[?1006l"],
  ["\x1b[?7l", "\x1b[?7h"],
  ["\x1b[?9999h", ""],
  ["\x1b[>1u\x1b[>5u\x1b[<u", "\x1b[<1u"],
  ["\x1b[<5u", ""],
  ["\x1b(0lqqk", "\x1b(B\x0f"],
  ["\x1b(0lqqk\x1b(B", ""],
  ["\x1b[1;31mred", "\x1b[0m"],
  ["\x1b[1;31mred\x1b[0m", ""],
  ["\x1b[?1049h\x1b[?25l\x1b[31m\x1bc", ""],
  ["\x1b[?25l\x1b[!p", ""],
])("after %j the terminal is brought back by %j", (output, undo) => {
  expect(after(output).undo()).toBe(undo);
});

test("knows whether a line begins", () => {
  expect(after().lineBegins).toBe(true);
  expect(after("x\r\n").lineBegins).toBe(true);
  expect(after("x\r\n", "$ ").lineBegins).toBe(false);
});

test("where the output is divided makes no difference, also among noise and sequences without end", () => {
  const parts = [VIM, "\x1b[?25l", "\x1b[?1003h", "\x1b[?2004l", "\x1b[", "\x1b", "\x1b[?", "\x1b]8;;x", "\xff\0", "a"];
  const long = `\x1b[${"1;".repeat(200)}m`;
  for (let round = 0; round < 300; round += 1) {
    const chosen = Array.from({ length: randomInt(8) }, () => [...parts, long][randomInt(parts.length + 1)]);
    const bytes = Buffer.from(chosen.join(""), "latin1");
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + randomInt(randomInt(2) === 0 ? 3 : 40);
      pieces.push(bytes.subarray(at, end));
      at = end;
    }
    const text = JSON.stringify(bytes.toString("latin1"));
    expect(after(...pieces).undo(), text).toBe(after(bytes).undo());
    expect(after(...pieces).isFullScreen, text).toBe(after(bytes).isFullScreen);
  }
});
