import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** One word of a kernel's command line that every language on its way there takes as it is: `console=ttyS0,115200n8`. */
export type KernelWord = Brand<string, "KernelWord">;

/** A console of the kernel as `console=` has it: `tty0`, `ttyS1,115200n8`. */
export type KernelConsole = Brand<string, "KernelConsole">;

/** Words by which hpsd itself says something. */
const OURS = /^(initrd=|hps\.)/;

export function parseKernelWord(text: string): KernelWord {
  if (!/^[A-Za-z0-9._:/@,+=%-]{1,200}$/.test(text)) {
    throw new HpsError("invalid", `not a word for a kernel's command line: ${quote(text)}`, {
      hint: "one word of letters, digits and ._:/@,+=%- only: pci=nomsi",
    });
  }
  if (OURS.test(text)) throw new HpsError("invalid", `${quote(text)} is hpsd's own to say`);
  return branded<"KernelWord", string>(text);
}

export function parseKernelConsole(text: string): KernelConsole {
  if (!/^[A-Za-z][A-Za-z0-9]{1,31}(,[A-Za-z0-9]{1,31}){0,4}$/.test(text)) {
    throw new HpsError("invalid", `not a kernel's console: ${quote(text)}`, { hint: "tty0, ttyS0,115200n8" });
  }
  return branded<"KernelConsole", string>(text);
}
