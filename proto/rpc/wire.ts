/** Messages to bytes and back, with errors that a reader understands. */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { HpsError } from "../values/hps-error.ts";
import { packCarried, unpackCarried } from "./carried-bytes.ts";

/** The largest message either side sends or takes, in bytes. Bulk data is a stream of smaller ones. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

/** Before each message on the wire: whether it is compressed, and its length. */
export const PREFIX_BYTES = 5;
/** From here on what a message carries is not copied into its frame. */
const BULK_BYTES = 4096;

/** A message in its frame, in one piece or two; what lies in the second may not change before it is sent. */
export type Frame = readonly [Buffer] | readonly [Buffer, Uint8Array];

/** Throws `exhausted` for a message above the limit. */
export function encode<D extends DescMessage>(schema: D, message: MessageInitShape<D>): Frame {
  const packed = packCarried(schema, message) ?? { head: toBinary(schema, create(schema, message)), carried: NOTHING };
  const { head, carried } = packed;
  const length = head.length + carried.length;
  if (length > MAX_MESSAGE_BYTES) {
    const limit = `${MAX_MESSAGE_BYTES} bytes`;
    throw new HpsError("exhausted", `a ${schema.name} of ${length} bytes is above the limit of ${limit}`);
  }
  const isBulk = carried.length >= BULK_BYTES;
  const first = Buffer.allocUnsafe(PREFIX_BYTES + (isBulk ? head.length : length));
  first.writeUInt8(0);
  first.writeUInt32BE(length, 1);
  first.set(head, PREFIX_BYTES);
  if (isBulk) return [first, carried];
  first.set(carried, PREFIX_BYTES + head.length);
  return [first];
}

/** Throws `invalid` for bytes that are no such message. */
export function decode<D extends DescMessage>(schema: D, bytes: Buffer): MessageShape<D> {
  try {
    return unpackCarried(schema, bytes) ?? fromBinary(schema, bytes);
  } catch (cause) {
    throw new HpsError("invalid", `the bytes received are not a valid ${schema.typeName}`, {
      hint: "compare the versions of the two programs",
      cause,
    });
  }
}

const NOTHING = new Uint8Array();
