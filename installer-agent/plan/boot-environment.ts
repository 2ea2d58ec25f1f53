import { HpsError } from "../../proto/values/hps-error.ts";

/** Bytes of one copy: what GRUB's `save_env` and `load_env` read and write. */
const ENVIRONMENT_BYTES = 1024;

/** Names of the copies beside grub.cfg; the first is read and written first, the second is for when it cannot be read. */
export const ENVIRONMENT_COPIES = ["env.1", "env.2"] as const;

/** What GRUB is to start. */
export interface BootEnvironment {
  /** The confirmed slot; `none` while the installation is not finished. */
  readonly slot: "a" | "b" | "none";
  /** A slot on trial, and whether its one boot is still to come. */
  readonly trial?: { readonly slot: "a" | "b"; readonly left: boolean };
}

const HEADER = "# GRUB Environment Block\n";

/** One copy. All of it that matters lies in its first sector, so a write of it is whole or not at all. */
export function encodeBootEnvironment({ slot, trial }: BootEnvironment): Buffer {
  const tries = trial?.left === true ? 1 : 0;
  const text = `${HEADER}slot=${slot}\ntrial=${trial?.slot ?? "none"}\ntries=${tries}\n`;
  return Buffer.from(text.padEnd(ENVIRONMENT_BYTES, "#"), "latin1");
}

/** Reads a copy; `invalid` when it is not one that we or GRUB wrote. */
export function parseBootEnvironment(bytes: Uint8Array): BootEnvironment {
  const text = Buffer.from(bytes).toString("latin1");
  const lines = text.startsWith(HEADER) && bytes.length === ENVIRONMENT_BYTES ? text.split("\n") : [];
  const values = new Map(lines.map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]));
  const slot = values.get("slot");
  const trial = values.get("trial");
  if (slot !== "a" && slot !== "b" && slot !== "none") {
    throw new HpsError("data-loss", "a boot environment on the ESP cannot be read", {
      hint: "install the host again, or write both copies anew",
    });
  }
  if (trial !== "a" && trial !== "b") return { slot };
  return { slot, trial: { slot: trial, left: values.get("tries") === "1" } };
}
