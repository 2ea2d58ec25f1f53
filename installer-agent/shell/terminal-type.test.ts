import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseTerminalType } from "../../proto/values/terminal.ts";
import { knownTerminal } from "./terminal-type.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "hps-terminfo-"));
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

async function describe(...names: string[]): Promise<void> {
  for (const name of names) {
    await mkdir(path.join(folder, name.slice(0, 1)), { recursive: true });
    await writeFile(path.join(folder, name.slice(0, 1), name), "");
  }
}

const known = (wished: string) => knownTerminal(parseTerminalType(wished), "/nonexistent", [folder]);

test.each([
  ["xterm-256color", "xterm-256color"],
  ["xterm-kitty", "xterm-256color"],
  ["alacritty", "xterm-256color"],
  ["foot-direct", "xterm-256color"],
  ["screen.xterm-256color", "screen-256color"],
  ["tmux-direct", "screen-256color"],
  ["xterm", "xterm"],
  ["tmux-256color", "screen-256color"],
  ["rxvt-unicode-256color", "xterm-256color"],
  ["vt220", "vt100"],
  ["dumb", "dumb"],
])("%s is taken for %s on a machine that knows few", async (wished, taken) => {
  await describe("xterm", "xterm-256color", "screen", "screen-256color", "linux", "vt100", "dumb");
  expect(known(wished)).toBe(taken);
});

test("the less a machine knows the less is taken, and nothing is changed where it knows nothing at all", async () => {
  expect(known("xterm-256color")).toBe("dumb");
  await describe("linux");
  expect(known("xterm-256color")).toBe("linux");
  await mkdir(path.join(folder, "78"));
  await writeFile(path.join(folder, "78", "xterm"), "");
  expect(known("xterm-256color")).toBe("xterm");
  await rm(folder, { recursive: true });
  expect(known("alacritty")).toBe("alacritty");
});
