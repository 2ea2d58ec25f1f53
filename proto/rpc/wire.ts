/** Messages to bytes and back, with errors that a reader understands. */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { HpsError } from "../values/hps-error.ts";

/** The largest message either side sends or takes, in bytes. Bulk data is a stream of smaller ones. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

/** From here on bytes are copied once, and not thrice into room for twice as many. */
const BULK_BYTES = 4096;

/** Throws `exhausted` for a message above the limit. */
export function encode<D extends DescMessage>(schema: D, message: MessageInitShape<D>): Buffer {
  const bytes = bulkMessage(schema, message) ?? toBinary(schema, create(schema, message));
  if (bytes.length > MAX_MESSAGE_BYTES) {
    const limit = `${MAX_MESSAGE_BYTES} bytes`;
    throw new HpsError("exhausted", `a ${schema.name} of ${bytes.length} bytes is above the limit of ${limit}`);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A message that carries bulk in one of its alternatives: written behind the rest, for which any order is right. */
function bulkMessage(schema: DescMessage, message: object): Uint8Array | undefined {
  for (const { localName, fields } of schema.oneofs) {
    const choice: unknown = Reflect.get(message, localName);
    if (typeof choice !== "object" || choice === null || !("case" in choice) || !("value" in choice)) continue;
    const { case: name, value } = choice;
    if (!(value instanceof Uint8Array) || value.length < BULK_BYTES) continue;
    const field = fields.find((each) => each.localName === name && each.scalar === ScalarType.BYTES);
    if (field === undefined) continue;
    const rest = toBinary(schema, create(schema, { ...message, [localName]: { case: undefined } }));
    const head = new BinaryWriter().raw(rest).tag(field.number, WireType.LengthDelimited).uint32(value.length).finish();
    return Buffer.concat([head, value], head.length + value.length);
  }
  return undefined;
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
