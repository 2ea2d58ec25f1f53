import { expect, test } from "vitest";
import { fakeTerminal } from "../testing/fake-terminal.ts";
import { Screen } from "./screen.ts";

const VIM = Buffer.from("\x1b[?1049h\x1b[?25l\x1b[?2004htext");
const UNDONE = "\x1b[?1049l\x1b[?25h\x1b[?2004l";

test("what a program left on is undone once: at the end, or when the process ends before", async () => {
  const ended = fakeTerminal({ tty: true });
  const screen = await Screen.take(ended);
  await screen.show(VIM);
  screen[Symbol.dispose]();
  ended.exitNow();
  expect(ended.printed()).toBe(`${VIM.toString()}${UNDONE}\r\n`);
  const killed = fakeTerminal({ tty: true });
  const other = await Screen.take(killed);
  await other.show(VIM);
  killed.exitNow();
  other[Symbol.dispose]();
  expect(killed.printed()).toBe(`${VIM.toString()}${UNDONE}\r\n`);
});

test("a long line over a program's picture takes as many rows as it needs, and leaves the cursor and the last column alone", async () => {
  const terminal = fakeTerminal({ tty: true });
  using screen = await Screen.take(terminal);
  await screen.show(VIM);
  await screen.say("x".repeat(100));
  const said = terminal.printed().slice(VIM.length);
  expect(said).toBe(
    `\x1b7\x1b[23;1H\x1b[0;7m\x1b[2Khpsctl: ${"x".repeat(70)}\x1b[24;1H\x1b[0;7m\x1b[2K${"x".repeat(30)}\x1b[0m\x1b8`,
  );
});

test("the last line comes after the program's screen has gone", async () => {
  const terminal = fakeTerminal({ tty: true });
  {
    using screen = await Screen.take(terminal);
    await screen.show(VIM);
    await screen.sayLast("over \x1b[2J");
  }
  expect(terminal.printed()).toBe(`${VIM.toString()}${UNDONE}\r\n\x1b[Khpsctl: over \\x1b[2J\r\n`);
});
