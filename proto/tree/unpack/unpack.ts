import { closeSync, constants, openSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { ByteSource } from "../compression/byte-source.ts";
import { TarReader } from "../tar/reader.ts";
import { DEFAULT_LIMITS, type UnpackLimits } from "./limits.ts";
import { Unpacker } from "./unpacker.ts";

export interface UnpackProgress {
  /** Of content, written. */
  readonly bytes: number;
  readonly entries: number;
}

export interface UnpackOptions {
  /** Devices are what an operating system's tree may hold; nothing else should. */
  readonly devices: "create" | "refuse";
  readonly limits?: Partial<UnpackLimits>;
  readonly signal?: AbortSignal;
  /** Called often: after each piece of the source. */
  readonly onProgress?: (progress: UnpackProgress) => void;
}

/** A pause for other work of the thread after so many folders. */
const FOLDERS_A_TURN = 256;

/**
 * Unpacks a tar archive (see `decompressed` for compressed ones) into the existing folder `root`, as root, exactly: owners
 * by number, modes, times in ns, attributes, access control lists, capabilities, hard links, devices, holes, names of any
 * bytes. A later entry replaces an earlier one of the same name. File systems mounted below `root` are written into.
 *
 * Nothing outside `root` is touched, whatever the archive says: no link is followed and no path leaves. What cannot be
 * unpacked so is an `HpsError` naming the entry; what was unpacked before stays. Reads no further while it writes.
 */
export async function unpackTar(source: ByteSource, root: string, options: UnpackOptions): Promise<UnpackProgress> {
  const folder = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const unpacker = new Unpacker(folder, { limits, devices: options.devices });
  const progress = () => ({ bytes: unpacker.budget.bytes, entries: unpacker.budget.entries });
  try {
    const reader = new TarReader(unpacker);
    for await (const piece of source) {
      options.signal?.throwIfAborted();
      reader.push(piece);
      options.onProgress?.(progress());
    }
    reader.end();
    await finish(unpacker, options.signal);
    options.onProgress?.(progress());
    return progress();
  } finally {
    unpacker.close();
    closeSync(folder);
  }
}

async function finish(unpacker: Unpacker, signal: AbortSignal | undefined): Promise<void> {
  let done = 0;
  for (const _ of unpacker.finish()) {
    done += 1;
    if (done % FOLDERS_A_TURN !== 0) continue;
    await setImmediate();
    signal?.throwIfAborted();
  }
}
