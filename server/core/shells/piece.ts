import { HpsError } from "../../../proto/values/hps-error.ts";

/** The largest piece either side sends. */
const MAX_PIECE_BYTES = 256 * 1024;

/** `invalid` for a piece that is too large. */
export function checkPiece({ length }: Uint8Array, what: string): void {
  if (length > MAX_PIECE_BYTES) {
    throw new HpsError("invalid", `${length} bytes of ${what} in one message, above ${MAX_PIECE_BYTES}`);
  }
}

/** Bytes of the program's in a message. */
export function sizeOfPiece({ value }: { readonly value: unknown }): number {
  return value instanceof Uint8Array ? value.length : 0;
}
