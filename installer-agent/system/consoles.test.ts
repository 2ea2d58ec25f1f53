import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Consoles } from "./consoles.ts";

const folder = mkdtempSync(join(tmpdir(), "hps-consoles-"));
afterAll(() => rmSync(folder, { recursive: true }));
const [sys, dev] = [join(folder, "sys"), join(folder, "dev")];
mkdirSync(join(sys, "class/tty/console"), { recursive: true });
mkdirSync(dev);

test("every active console gets every line; one that takes nothing holds up nobody and loses lines", async () => {
  writeFileSync(join(sys, "class/tty/console/active"), "tty0 ttyS0\n");
  writeFileSync(join(dev, "tty0"), "");
  execFileSync("mkfifo", [join(dev, "ttyS0")]);
  const reader = openSync(join(dev, "ttyS0"), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const consoles = await Consoles.open(sys, dev);
    const line = `${"x".repeat(99)}\n`;
    for (let count = 0; count < 5_000; count++) consoles.write(line);
    expect(readFileSync(join(dev, "tty0"), "utf8")).toBe(line.repeat(5_000));
    const bytes = Buffer.alloc(65_536);
    expect(readSync(reader, bytes)).toBeGreaterThan(0);
    expect(bytes.toString("latin1").startsWith(line)).toBe(true);
    // What waited follows by itself.
    await expect.poll(() => readSync(reader, bytes)).toBeGreaterThan(0);
  } finally {
    closeSync(reader);
  }
});

test("a console that is not there is passed over", async () => {
  writeFileSync(join(sys, "class/tty/console/active"), "tty7\n../../etc/passwd\n");
  const consoles = await Consoles.open(sys, dev);
  expect(() => consoles.write("line\n")).not.toThrow();
});
