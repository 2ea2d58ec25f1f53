import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** A folder of one test: `await using scratch = makeScratch()`. */
export function makeScratch(): { readonly path: string; under(name: string): string; [Symbol.dispose](): void } {
  const folder = mkdtempSync(path.join(tmpdir(), "hps-tree-"));
  return {
    path: folder,
    under: (name) => path.join(folder, name),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Runs a program of this machine to its end; its standard output. */
export function run(argv: readonly string[], input?: Uint8Array): Buffer {
  const [program = "", ...rest] = argv;
  return execFileSync(program, rest, {
    maxBuffer: 1 << 28,
    timeout: 20_000,
    stdio: ["pipe", "pipe", "pipe"],
    input: input ?? "",
  });
}

/** `bytes` in pieces of `size`. */
export async function* inPieces(
  bytes: Uint8Array,
  size: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array> {
  if (size === Number.POSITIVE_INFINITY) yield bytes;
  else for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
