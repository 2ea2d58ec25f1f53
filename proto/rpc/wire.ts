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

/** The largest message either side sends or takes, in bytes. Bulk data is a stream of smaller ones. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

/** Throws `exhausted` for a message above the limit. */
export function encode<D extends DescMessage>(schema: D, message: MessageInitShape<D>): Buffer {
  const bytes = toBinary(schema, create(schema, message));
  if (bytes.length > MAX_MESSAGE_BYTES) {
    const limit = `${MAX_MESSAGE_BYTES} bytes`;
    throw new HpsError("exhausted", `a ${schema.name} of ${bytes.length} bytes is above the limit of ${limit}`);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Throws `invalid` for bytes that are no such message. */
export function decode<D extends DescMessage>(schema: D, bytes: Buffer): MessageShape<D> {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw new HpsError("invalid", `the bytes received are not a valid ${schema.typeName}`, {
      hint: "compare the versions of the two programs",
      cause,
    });
  }
}
