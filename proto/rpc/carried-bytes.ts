/**
 * Messages that carry bytes in one of their alternatives and nothing else, as all bulk and every key of a shell does: put
 * together and taken apart without looking at each field of the schema, and without a copy of what they carry.
 */
import { create, type DescField, type DescMessage, type MessageShape, ScalarType, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** A message as it is sent: `head`, and behind it the bytes it carries. */
export interface Packed {
  readonly head: Uint8Array;
  readonly carried: Uint8Array;
}

interface Carrier {
  /** Of the alternatives, in a message. */
  readonly localName: string;
  readonly byName: ReadonlyMap<string, DescField>;
  readonly byNumber: ReadonlyMap<number, DescField>;
}

const carriers = new WeakMap<DescMessage, readonly Carrier[]>();

/** Undefined for a message that carries no bytes. Any order of fields is right: what it has beside them goes first. */
export function packCarried(schema: DescMessage, message: object): Packed | undefined {
  for (const { localName, byName } of carriersOf(schema)) {
    const choice: unknown = Reflect.get(message, localName);
    if (typeof choice !== "object" || choice === null || !("case" in choice) || !("value" in choice)) continue;
    const { case: name, value } = choice;
    const field = byName.get(String(name));
    if (field === undefined || !(value instanceof Uint8Array)) continue;
    const writer = new BinaryWriter();
    if (hasMore(message, localName)) {
      writer.raw(toBinary(schema, create(schema, { ...message, [localName]: { case: undefined } })));
    }
    return {
      head: writer.tag(field.number, WireType.LengthDelimited).uint32(value.length).finish(),
      carried: value,
    };
  }
  return undefined;
}

/** Undefined for bytes that are anything but a message that carries bytes alone. */
export function unpackCarried<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> | undefined {
  const all = carriersOf(schema);
  if (all.length === 0 || bytes.length === 0) return undefined;
  const reader = new BinaryReader(bytes);
  const [number, type] = reader.tag();
  const carrier = type === WireType.LengthDelimited ? all.find(({ byNumber }) => byNumber.has(number)) : undefined;
  const field = carrier?.byNumber.get(number);
  if (carrier === undefined || field === undefined) return undefined;
  const value = reader.bytes();
  if (reader.pos !== bytes.length) return undefined;
  const message = create(schema);
  Reflect.set(message, carrier.localName, { case: field.localName, value });
  return message;
}

function carriersOf(schema: DescMessage): readonly Carrier[] {
  const known = carriers.get(schema);
  if (known !== undefined) return known;
  const all = schema.oneofs.flatMap(({ localName, fields }) => {
    const ofBytes = fields.filter(({ scalar }) => scalar === ScalarType.BYTES);
    const byName = new Map(ofBytes.map((field) => [field.localName, field]));
    const byNumber = new Map(ofBytes.map((field) => [field.number, field]));
    return ofBytes.length === 0 ? [] : [{ localName, byName, byNumber }];
  });
  carriers.set(schema, all);
  return all;
}

function hasMore(message: object, localName: string): boolean {
  return Object.keys(message).some((key) => key !== localName && key !== "$typeName");
}
