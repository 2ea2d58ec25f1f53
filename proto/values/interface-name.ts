import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** The name of a network interface on this machine: `eth0`, `br-lab`, `eth0.12`. */
export type InterfaceName = Brand<string, "InterfaceName">;

/** Reads what the kernel takes (15 bytes) of the characters that no configuration language reads as something else. */
export function parseInterfaceName(text: string): InterfaceName {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(text)) {
    throw new HpsError("invalid", `not an interface's name: ${quote(text)}`, {
      hint: "use 1 to 15 letters, digits, _ . and inner -: eth0",
    });
  }
  return branded<"InterfaceName", string>(text);
}
