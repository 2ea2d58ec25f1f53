import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

/**
 * One word of a GRUB script that stands for exactly `text`: every value of grub.cfg and slot.cfg goes through here.
 * Throws `invalid` for what is not printable ASCII, which GRUB would not hand on unchanged.
 */
export function grubWord(text: string): string {
  if (!/^[ -~]*$/.test(text)) {
    throw new HpsError("invalid", `the boot loader cannot be told ${quote(text, 200)}`, {
      hint: "use printable ASCII in names of kernels and in their arguments",
    });
  }
  // Nothing is special between single quotes, so only they have to leave them.
  return `'${text.replaceAll("'", "'\\''")}'`;
}
