/** Makes the delta between two images. Waits for the disk: for threads that do nothing else meanwhile. */
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { parseTrailer, TRAILER_BYTES } from "../../../proto/image/container.ts";
import { DELTA, DELTA_HEAD, type DeltaObject, encodeDeltaEnd } from "../../../proto/image/delta.ts";
import { makeDeltaObjects } from "../../../proto/image/delta-maker.ts";
import { type DeltaTask, planDelta } from "../../../proto/image/delta-plan.ts";
import { diskError } from "../files/disk-error.ts";
import { PackedContent, type StoredImage } from "./packed-content.ts";

export interface DeltaOrder {
  readonly base: StoredImage;
  readonly target: StoredImage;
  /** Where the file is made. */
  readonly path: string;
  /** Of the target's content: where more is in files that are like none of the base, the two are hardly the same system. */
  readonly mostNew: number;
}

/** A whole and durable delta that has no name yet. */
export interface WrittenDelta {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly indexOffset: number;
  readonly indexBytes: number;
}

/** Of what fetching the new objects takes: a delta that saves less is not kept. */
const WORTH_IT = 0.9;
const WHAT = "a delta";

/** Undefined when it would save nothing; then nothing of it is worth keeping. */
export async function writeDelta(order: DeltaOrder): Promise<WrittenDelta | undefined> {
  using base = new PackedContent(order.base);
  using target = new PackedContent(order.target);
  const tasks = planDelta(base.manifest, target.manifest);
  const numbers = tasks.flatMap(({ objects }) => objects.map(({ number }) => number));
  if (numbers.length === 0 || shareWithoutOld(tasks, target) > order.mostNew) return undefined;
  const most = target.fetchedBytes(numbers) * WORTH_IT;
  const file = new DeltaFile(order.path);
  try {
    await writeObjects(file, { base, target, tasks, most });
    if (file.bytes >= most) return undefined;
    return file.finish(
      Buffer.from(order.base.manifest.digest, "hex"),
      Buffer.from(order.target.manifest.digest, "hex"),
    );
  } finally {
    file.close();
  }
}

/** Of the content, how much is in files to which no old one is like. */
function shareWithoutOld(tasks: readonly DeltaTask[], { manifest }: PackedContent): number {
  const all = manifest.objects.reduce((sum, { length }) => sum + length, 0);
  const alone = tasks.flatMap(({ source, objects }) => (source === undefined ? objects : []));
  return alone.reduce((sum, { number }) => sum + (manifest.objects[number]?.length ?? 0), 0) / all;
}

interface Making {
  readonly base: PackedContent;
  readonly target: PackedContent;
  readonly tasks: readonly DeltaTask[];
  /** Beyond this many bytes it is worth nothing. */
  readonly most: number;
}

async function writeObjects(file: DeltaFile, { base, target, tasks, most }: Making): Promise<void> {
  const content = {
    objects: target.manifest.objects,
    old: async (...[source, offset, length]: Parameters<PackedContent["part"]>) => base.part(source, offset, length),
    object: async (number: number) => target.object(number),
  };
  for (const task of tasks) {
    for await (const made of makeDeltaObjects(task, content)) {
      file.append(made.bytes, made.object);
      if (file.bytes >= most) return;
    }
  }
}

class DeltaFile {
  readonly #file: number;
  readonly #hash = createHash("sha256");
  readonly #objects: DeltaObject[] = [];
  bytes = 0;

  constructor(path: string) {
    try {
      this.#file = openSync(path, "wx", 0o600);
    } catch (error) {
      throw diskError(error, WHAT);
    }
    this.#write(DELTA_HEAD);
  }

  append(bytes: Uint8Array, object: DeltaObject): void {
    this.#write(bytes);
    this.#objects.push(object);
  }

  finish(base: Buffer, target: Buffer): WrittenDelta {
    const end = encodeDeltaEnd({ base, target, objects: this.#objects });
    this.#write(end);
    try {
      fsyncSync(this.#file);
    } catch (error) {
      throw diskError(error, WHAT);
    }
    const { indexOffset, indexBytes } = parseTrailer(DELTA, end.subarray(-TRAILER_BYTES), this.bytes);
    return { digest: this.#hash.digest("hex"), sizeBytes: this.bytes, indexOffset, indexBytes };
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(data: Uint8Array): void {
    try {
      for (let at = 0; at < data.length; ) at += writeSync(this.#file, data, at);
    } catch (error) {
      throw diskError(error, WHAT);
    }
    this.#hash.update(data);
    this.bytes += data.length;
  }
}
