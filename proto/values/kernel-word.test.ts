import { expect, test } from "vitest";
import { parseKernelConsole, parseKernelWord } from "./kernel-word.ts";

test("words that reach a kernel as they are", () => {
  for (const word of ["quiet", "pci=nomsi", "nomodeset", "ip=10.0.0.1::10.0.0.254", "dyndbg=+p"]) {
    expect(parseKernelWord(word)).toBe(word);
  }
  for (const word of ["", "a b", "a\nb", `\${uuid}`, "a;b", 'a"b', "a|b", "é", "x".repeat(201)]) {
    expect(() => parseKernelWord(word)).toThrow("not a word");
  }
  for (const word of ["initrd=x", "hps.boot=http://x"]) expect(() => parseKernelWord(word)).toThrow("hpsd's own");
});

test("consoles", () => {
  for (const name of ["tty0", "ttyS0", "ttyS1,115200n8", "hvc0", "uart8250,io,0x3f8,115200n8"]) {
    expect(parseKernelConsole(name)).toBe(name);
  }
  for (const name of ["", "t", "tty0 quiet", "ttyS0,", "ttyS0,1,2,3,4,5", "/dev/tty0"]) {
    expect(() => parseKernelConsole(name)).toThrow("not a kernel's console");
  }
});
