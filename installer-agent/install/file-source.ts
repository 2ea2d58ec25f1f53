import type { FileSource } from "../../proto/gen/hps/v1/agent_pb.ts";
import { parseDigest } from "../../proto/values/digest.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import type { FileRef } from "../link/file-request.ts";

/** Reads where a file is; `what` names it in the error. */
export function parseFileSource(
  { digest, sizeBytes }: Pick<FileSource, "digest" | "sizeBytes">,
  what: string,
): FileRef {
  return { digest: parseHex(digest), sizeBytes: countOf(sizeBytes, `the length of ${what}`) };
}

/** Reads a SHA-256 that is sent without its prefix. */
export function parseHex(digest: string): string {
  return parseDigest(`sha256:${digest}`).slice("sha256:".length);
}

/** Reads a count or a number of bytes; `what` names it in the error. */
export function countOf(value: bigint, what: string): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new HpsError("invalid", `${what} is out of range: ${quote(`${value}`)}`);
  }
  return Number(value);
}
