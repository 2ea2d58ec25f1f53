/** The chain of a recording that an agent keeps, as `hps.v1.DirectRecord` describes it: framed, and each link bound to the one before. */
import { createHash } from "node:crypto";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type DirectRecord, DirectRecordSchema } from "../gen/hps/v1/direct_pb.ts";
import { HpsError } from "../values/hps-error.ts";

const CONTEXT = "hps.v1.DirectRecord";
const LENGTH_BYTES = 4;
/** Of one link: a piece of output has at most 64 kB, a command's arguments as much. */
const LARGEST_LINK = 256 * 1024;

export type DirectEvent = NonNullable<MessageInitShape<typeof DirectRecordSchema>["event"]>;

/** What the first link of a session's chain names as the one before it. */
export function chainStart(session: string): Uint8Array<ArrayBuffer> {
  return sha256(Buffer.from(`${CONTEXT}\0${session}`));
}

/** The next link, framed as it stands in a file, and its digest. */
export function chainLink(
  previous: Uint8Array<ArrayBuffer>,
  elapsed: number,
  event: DirectEvent,
): { readonly frame: Buffer; readonly digest: Uint8Array<ArrayBuffer> } {
  const bytes = toBinary(
    DirectRecordSchema,
    create(DirectRecordSchema, { previous, elapsed: BigInt(Math.max(0, Math.round(elapsed))), event }),
  );
  const frame = Buffer.alloc(LENGTH_BYTES + bytes.length);
  frame.writeUInt32BE(bytes.length);
  frame.set(bytes, LENGTH_BYTES);
  return { frame, digest: sha256(bytes) };
}

/** One link as it was read, with all before it. */
export interface ReadLink {
  readonly record: DirectRecord;
  /** `sha256:…` */
  readonly digest: string;
  readonly hash: Uint8Array<ArrayBuffer>;
  /** Where it ends in the file. */
  readonly end: number;
}

/** Reads a chain and checks each link against the one before. `data-loss` where it is torn, altered or of another session. */
export async function* readChain(session: string, source: AsyncIterable<Uint8Array>): AsyncGenerator<ReadLink, void> {
  let previous = chainStart(session);
  let number = 0;
  for await (const { bytes, end } of readFrames(source)) {
    number += 1;
    const record = linkOf(bytes, number);
    if (!Buffer.from(record.previous).equals(previous)) throw broken(number, "does not follow the one before it");
    previous = sha256(bytes);
    yield { record, digest: digestText(previous), hash: previous, end };
  }
}

/** The digest of the last link as it stands there, whatever it is: a chain that was altered is announced by it too. */
export async function lastDigest(source: AsyncIterable<Uint8Array>): Promise<string> {
  let last: Uint8Array = new Uint8Array();
  for await (const { bytes } of readFrames(source)) last = bytes;
  return digestText(sha256(last));
}

/** The links without a look into them. `data-loss` when the last is torn, with `details.torn` saying so. */
async function* readFrames(source: AsyncIterable<Uint8Array>) {
  let waiting: Buffer = Buffer.alloc(0);
  let number = 0;
  let end = 0;
  for await (const piece of source) {
    waiting = Buffer.concat([waiting, piece]);
    for (let size = linkSize(waiting, number); size !== undefined; size = linkSize(waiting, number)) {
      const bytes = new Uint8Array(waiting.subarray(LENGTH_BYTES, LENGTH_BYTES + size));
      waiting = waiting.subarray(LENGTH_BYTES + size);
      number += 1;
      end += LENGTH_BYTES + size;
      yield { bytes, end };
    }
  }
  if (waiting.length > 0) {
    throw new HpsError("data-loss", `the recording's chain is broken: link ${number + 1} is torn`, {
      details: { torn: "yes" },
    });
  }
}

export function digestText(hash: Uint8Array): string {
  return `sha256:${Buffer.from(hash).toString("hex")}`;
}

/** Of the next link; undefined when not all of it is there. */
function linkSize(waiting: Buffer, number: number): number | undefined {
  if (waiting.length < LENGTH_BYTES) return undefined;
  const size = waiting.readUInt32BE();
  if (size > LARGEST_LINK) throw broken(number + 1, `has ${size} bytes, above ${LARGEST_LINK}`);
  return waiting.length < LENGTH_BYTES + size ? undefined : size;
}

function linkOf(bytes: Uint8Array, number: number): DirectRecord {
  try {
    return fromBinary(DirectRecordSchema, bytes);
  } catch (cause) {
    throw broken(number, "is none", cause);
  }
}

function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

function broken(number: number, what: string, cause?: unknown): HpsError {
  return new HpsError("data-loss", `the recording's chain is broken: link ${number} ${what}`, { cause });
}
