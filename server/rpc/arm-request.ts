import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import type { ArmHostRequest } from "../../proto/gen/hps/v1/host_pb.ts";
import { formatDuration } from "../../proto/values/duration.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type ImageRef, parseImageRef } from "../../proto/values/image-ref.ts";
import { boundedText } from "./fields.ts";

const MINUTE = 60_000;
const DEFAULT_WINDOW = 60 * MINUTE;
const LONGEST_WINDOW = 7 * 24 * 60 * MINUTE;
const MAX_DISKS = 64;
const MAX_SERIAL_BYTES = 128;

/** What an operator wishes who arms a host. */
export interface ArmWish {
  readonly windowMs: number;
  /** Empty: no image yet. */
  readonly image: ImageRef | "";
  readonly wipeDiskSerials: readonly string[];
}

export function armWishOf({ window, image, wipeDiskSerials }: ArmHostRequest): ArmWish {
  if (wipeDiskSerials.length > MAX_DISKS) {
    throw new HpsError("invalid", `${wipeDiskSerials.length} disks are more than may be wiped at once: ${MAX_DISKS}`);
  }
  return {
    windowMs: windowOf(window),
    image: image === "" ? "" : parseImageRef(image),
    wipeDiskSerials: [...new Set(wipeDiskSerials.map(serialOf))],
  };
}

function serialOf(text: string): string {
  if (text.trim() === "") throw new HpsError("invalid", "a disk's serial number is empty");
  return boundedText(text, MAX_SERIAL_BYTES, "a disk's serial number");
}

function windowOf(window: Duration | undefined): number {
  const ms = window === undefined ? DEFAULT_WINDOW : Math.trunc(durationMs(window));
  if (ms >= MINUTE && ms <= LONGEST_WINDOW) return ms;
  throw new HpsError("invalid", `a host cannot be armed for ${formatDuration(Math.max(0, ms))}`, {
    hint: "use 1 minute to 7 days",
  });
}
