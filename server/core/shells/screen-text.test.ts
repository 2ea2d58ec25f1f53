import headless from "@xterm/headless";
import { expect, test } from "vitest";
import { type ScreenJob, safePoint, screenText } from "./screen-text.ts";

const SIZE = { rows: 10, columns: 40 };

function job(text: string, sizes: ScreenJob["sizes"] = [{ ...SIZE, at: 0 }]): ScreenJob {
  return { bytes: Buffer.from(text), isWhole: true, sizes };
}

/** A terminal that was sent this: its lines, its cursor and which of its two screens it shows. */
async function shown(text: string, { rows, columns } = SIZE) {
  const terminal = new headless.Terminal({ rows, cols: columns, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(text, resolve));
  const { active } = terminal.buffer;
  const lines = Array.from({ length: rows }, (_, row) => active.getLine(active.baseY + row)?.translateToString(true));
  const { modes } = terminal;
  return { lines, cursor: [active.cursorX, active.cursorY], screen: active.type, modes: { ...modes } };
}

/** What was on the viewer's terminal before. */
const DIRT = "old text\x1b[?1049h\x1b[5;5Hmore\x1b[?1003h\x1b[?1006h\x1b[3;5r\x1b[31m\x1b(0";

test.each([
  ["a prompt", "$ ls\r\n\x1b[32ma  b\x1b[0m\r\n$ "],
  ["an editor", "$ vi\r\n\x1b[?1049h\x1b[?1h\x1b=\x1b[2J\x1b[1;9r\x1b[3;4Hword\x1b[10;1H-- INSERT --\x1b[3;8H"],
  ["a list that scrolled", Array.from({ length: 50 }, (_, at) => `line ${at}\r\n`).join("")],
  ["a full-screen program with a mouse", "\x1b[?1049h\x1b[?1000h\x1b[?1006h\x1b[?25l\x1b[2J\x1b[5;5H1 2 3"],
  ["wide characters", "日本語 😀 e\u0301\r\n"],
  ["one that was left", "\x1b[?1049hgone\x1b[?1049l$ "],
])("%s looks as it did, on a terminal in any state", async (_what, text) => {
  const screen = await screenText(job(text));
  expect(await shown(DIRT + (screen ?? ""))).toEqual(await shown(text));
});

test("modes the serializer does not know: the mouse's encoding, a cursor that is not seen, the scrolling region", async () => {
  const screen = await screenText(job("\x1b[?1000h\x1b[?1006h\x1b[?25l\x1b[2;5r\x1b[4;3H"));
  expect(screen?.endsWith("\x1b[2;5r\x1b[4;3H\x1b[?25l\x1b[?1006h")).toBe(true);
  const left = await screenText(job("\x1b[?1006h\x1b[?25l\x1b[2;5r\x1bc$ "));
  for (const mode of ["\x1b[?25l", "\x1b[2;5r", "\x1b[?1006h"]) expect(left).not.toContain(mode);
});

test("what was shown at an earlier size is laid out at the later one", async () => {
  const text = "0123456789".repeat(3);
  const sizes = [
    { rows: 10, columns: 20, at: 0 },
    { rows: 10, columns: 40, at: text.length + 2 },
  ];
  const screen = await screenText(job(`${text}\r\n$ `, sizes));
  expect((await shown(screen ?? "")).lines.slice(0, 2)).toEqual([text, "$ "]);
});

test("the emulator's answers to a program's queries are nowhere in the screen", async () => {
  const screen = await screenText(
    job("\x1b[c\x1b[>c\x1b[6n\x1b[5n\x1b]10;?\x07\x1b]4;1;?\x07\x1b[14t\x1bP$qm\x1b\\done"),
  );
  expect(screen).toContain("done");
  // Neither a query, which the viewer's terminal would answer, nor what the emulator answered.
  const sequences = screen?.split("\x1b") ?? [];
  expect(sequences.filter((sequence) => /^(\[[?>=\d;]*[cnR]|\]|P|.*rgb:)/.test(sequence))).toEqual([]);
});

test.each([..."@ABCDEFGHILMPSTXZ`abdef"])("a hostile count of %s ends at once", async (final) => {
  const began = performance.now();
  const screen = await screenText(job(`x\x1b[2147483647${final}\x1b[2147483647;2147483647${final}y`));
  expect(performance.now() - began).toBeLessThan(1000);
  expect(screen).toContain("y");
});

test("long strings, deep parameters and torn sequences do no harm, and a screen too large is none", async () => {
  const long = `\x1b]0;${"x".repeat(500_000)}\x07\x1bP${"q".repeat(500_000)}\x1b\\\x1b[${"1;".repeat(10_000)}m`;
  expect(await screenText(job(`${long}ok\x1b[`))).toContain("ok");
  const colours = Array.from({ length: 60_000 }, (_, at) => `\x1b[38;2;${at % 256};${(at * 7) % 256};9m#`).join("");
  expect(await screenText(job(colours, [{ rows: 1000, columns: 1000, at: 0 }]))).toBeUndefined();
});

test("a piece from the middle begins behind a line, or at a sequence", () => {
  expect(safePoint(Buffer.from("5;3Hx\nrest"))).toBe(6);
  expect(safePoint(Buffer.from("5;3H\x1b[2J"))).toBe(4);
  expect(safePoint(Buffer.from("abc"))).toBe(0);
});
