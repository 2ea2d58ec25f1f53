import { expect, test } from "vitest";
import { consoleWords, serialConsole } from "./consoles.ts";

test("console words are kept in order, and nothing else is", () => {
  const line = "initrd=initrd.img console=tty0 quiet xconsole=ttyS9 console=ttyS1,115200n8 console= console=é\n";
  expect(consoleWords(line)).toEqual(["console=tty0", "console=ttyS1,115200n8"]);
});

test("GRUB speaks on the last serial line that Linux speaks on", () => {
  expect(serialConsole(["console=tty0"])).toBeUndefined();
  expect(serialConsole(["console=ttyS0,115200", "console=ttyS1,57600n8r"])).toEqual({ unit: 1, speed: 57_600 });
  expect(serialConsole(["console=ttyS0", "console=tty0"])).toEqual({ unit: 0, speed: 9600 });
  expect(serialConsole(["console=ttyUSB0,9600", "console=ttyS12,9600", "console=ttyAMA0"])).toBeUndefined();
});
