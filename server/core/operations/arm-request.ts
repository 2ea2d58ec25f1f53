import { parseDiskRule } from "../../../proto/values/disk-rule.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { type ImageRef, parseImageRef } from "../../../proto/values/image-ref.ts";
import { roundSize } from "../../../proto/values/size.ts";
import type { StorageWish } from "../../store/installations.ts";

const MINUTE = 60_000;
const SHORTEST_WINDOW = MINUTE;
const DEFAULT_WINDOW = 60 * MINUTE;
const LONGEST_WINDOW = 7 * 24 * 60 * MINUTE;
const MAX_SERIALS = 64;
const MAX_SERIAL_BYTES = 128;
const GIB = 1024 ** 3;
const SMALLEST_ROOT = GIB;
const LARGEST_ROOT = 64 * 1024 * GIB;

/** As an operator says it. */
export interface ArmRequest {
  /** How long a machine may enrol; absent: an hour. */
  readonly windowMs?: number;
  /** `name:tag`; empty: no image yet. */
  readonly image: string;
  readonly wipeDiskSerials: readonly string[];
  readonly storage?: StorageWish;
  /** Only a shell is wanted. */
  readonly rescue?: boolean;
}

/** The same, checked, and nothing left open. */
export interface ArmWish {
  readonly windowMs: number;
  readonly image: ImageRef | "";
  readonly wipeDiskSerials: readonly string[];
  readonly storage: StorageWish;
  readonly rescue: boolean;
}

/** What may be wiped in addition. */
export interface WipePermission {
  readonly wipe: boolean;
  readonly wipeDiskSerials: readonly string[];
}

const NO_WISH: StorageWish = { disk: "", rootSizeBytes: 0, wipe: false };

/** Checks what an operator asks for; `invalid` names the first thing wrong. */
export function parseArmRequest(request: ArmRequest): ArmWish {
  const { windowMs = DEFAULT_WINDOW, image, storage = NO_WISH, rescue = false } = request;
  if (!(windowMs >= SHORTEST_WINDOW && windowMs <= LONGEST_WINDOW)) {
    throw new HpsError("invalid", `a host cannot be armed for ${Math.round(windowMs / 1000)} s`, {
      hint: "use 1 minute to 7 days",
    });
  }
  const wipeDiskSerials = parseWipeSerials(request.wipeDiskSerials);
  if (rescue && (image !== "" || storage.wipe || wipeDiskSerials.length > 0)) {
    throw new HpsError("invalid", "a rescue installs nothing and wipes nothing", {
      hint: "leave out the image and the wipe permission, or arm the host to be installed",
    });
  }
  return {
    windowMs: Math.round(windowMs),
    image: image === "" ? "" : parseImageRef(image),
    wipeDiskSerials,
    storage: parseStorage(storage),
    rescue,
  };
}

/** Serial numbers of disks, each once. What a disk calls itself is compared byte for byte, so any text is one. */
export function parseWipeSerials(serials: readonly string[]): readonly string[] {
  if (serials.length > MAX_SERIALS) {
    throw new HpsError("invalid", `${serials.length} disks are more than may be wiped at once: ${MAX_SERIALS}`);
  }
  if (!serials.every(isSerial)) {
    throw new HpsError("invalid", `a disk's serial number is not 1 to ${MAX_SERIAL_BYTES} bytes of text`);
  }
  return [...new Set(serials)];
}

function isSerial(text: string): boolean {
  return text.isWellFormed() && text.trim() !== "" && Buffer.byteLength(text) <= MAX_SERIAL_BYTES;
}

function parseStorage({ disk, rootSizeBytes, wipe }: StorageWish): StorageWish {
  // The agent reads it with the same parser, so it is kept as it was written.
  parseDiskRule(disk);
  const fits = rootSizeBytes === 0 || (rootSizeBytes >= SMALLEST_ROOT && rootSizeBytes <= LARGEST_ROOT);
  if (!fits || !Number.isSafeInteger(rootSizeBytes)) {
    throw new HpsError("invalid", `a root file system cannot have ${roundSize(rootSizeBytes)}`, {
      hint: `use ${roundSize(SMALLEST_ROOT)} to ${roundSize(LARGEST_ROOT)}, or nothing for what the image needs`,
    });
  }
  return { disk, rootSizeBytes, wipe };
}
