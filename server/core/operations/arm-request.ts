import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseImageRef } from "../../../proto/values/image-ref.ts";

const MINUTE = 60_000;
const SHORTEST_WINDOW = MINUTE;
const DEFAULT_WINDOW = 60 * MINUTE;
const LONGEST_WINDOW = 7 * 24 * 60 * MINUTE;
const MAX_SERIALS = 64;
const MAX_SERIAL_BYTES = 128;

export interface ArmRequest {
  /** How long a machine may enrol; absent: an hour. */
  readonly windowMs?: number;
  /** `name:tag`; empty: no image yet. */
  readonly image: string;
  readonly wipeDiskSerials: readonly string[];
}

/** Checks what an operator asks for; `invalid` names the first thing wrong. */
export function parseArmRequest({
  windowMs = DEFAULT_WINDOW,
  image,
  wipeDiskSerials,
}: ArmRequest): Required<ArmRequest> {
  if (!(windowMs >= SHORTEST_WINDOW && windowMs <= LONGEST_WINDOW)) {
    throw new HpsError("invalid", `a window of ${Math.round(windowMs / 1000)} s cannot be armed`, {
      hint: "between 1 minute and 7 days",
    });
  }
  if (wipeDiskSerials.length > MAX_SERIALS) {
    throw new HpsError("invalid", `${wipeDiskSerials.length} disk serial numbers are more than ${MAX_SERIALS}`);
  }
  if (!wipeDiskSerials.every(isSerial)) {
    throw new HpsError("invalid", `a disk's serial number is not 1 to ${MAX_SERIAL_BYTES} bytes of text`);
  }
  return {
    windowMs: Math.round(windowMs),
    image: image === "" ? "" : parseImageRef(image),
    wipeDiskSerials: [...new Set(wipeDiskSerials)],
  };
}

/** What a disk calls itself is compared byte for byte, so any text is one. */
function isSerial(text: string): boolean {
  return text.isWellFormed() && text.trim() !== "" && Buffer.byteLength(text) <= MAX_SERIAL_BYTES;
}
