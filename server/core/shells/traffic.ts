import { createHash } from "node:crypto";
import type { OutputKind } from "./recording.ts";

type Direction = "input" | OutputKind;

const NAMES: Readonly<Record<Direction, string>> = { input: "input", output: "output", errorOutput: "error" };

/** Bytes of each direction of a session and, for a command, their SHA-256. */
export class Traffic {
  readonly #counts: Record<Direction, number> = { input: 0, output: 0, errorOutput: 0 };
  readonly #hashes: Readonly<Record<Direction, ReturnType<typeof createHash>>> | undefined;

  constructor(options: { readonly hashed: boolean }) {
    if (options.hashed) this.#hashes = { input: sha256(), output: sha256(), errorOutput: sha256() };
  }

  count(direction: Direction, bytes: Uint8Array): void {
    this.#counts[direction] += bytes.length;
    this.#hashes?.[direction].update(bytes);
  }

  /** So many bytes went before those that are counted here. */
  began(direction: Direction, bytes: number): void {
    this.#counts[direction] += bytes;
  }

  /** `inputBytes`, `inputDigest`, … as the audit log and the recording have them. Call once: it ends the digests. */
  summary(): Readonly<Record<string, string>> {
    const directions = ["input", "output", "errorOutput"] as const;
    const entries = directions.flatMap((direction): [string, string][] => {
      const name = NAMES[direction];
      const hash = this.#hashes?.[direction];
      const bytes: [string, string] = [`${name}Bytes`, String(this.#counts[direction])];
      return hash === undefined ? [bytes] : [bytes, [`${name}Digest`, `sha256:${hash.digest("hex")}`]];
    });
    return Object.fromEntries(entries);
  }
}

function sha256(): ReturnType<typeof createHash> {
  return createHash("sha256");
}
