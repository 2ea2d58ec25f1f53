/** Ways to damage bytes. */
import fc from "fast-check";

interface Damage {
  readonly kind: "turn" | "set" | "insert" | "remove" | "repeat" | "end";
  /** Where, as a part of all there is. */
  readonly at: number;
  readonly value: number;
  readonly length: number;
}

/** A few of them, one after the other. */
export const anyDamage: fc.Arbitrary<Damage[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("turn", "turn", "set", "set", "insert", "remove", "repeat", "end"),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    value: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)),
    length: fc.integer({ min: 1, max: 40 }),
  }),
  { minLength: 1, maxLength: 4 },
);

export function damaged(bytes: Buffer, damages: readonly Damage[]): Buffer {
  return damages.reduce(damagedOnce, bytes);
}

function damagedOnce(bytes: Buffer, { kind, at, value, length }: Damage): Buffer {
  const place = Math.min(Math.floor(at * bytes.length), Math.max(bytes.length - 1, 0));
  const [before, here, after] = [bytes.subarray(0, place), bytes.subarray(place, place + 1), bytes.subarray(place + 1)];
  switch (kind) {
    case "turn":
      return Buffer.concat([before, Buffer.from([(here[0] ?? 0) ^ (1 << (value & 7))]), after]);
    case "set":
      return Buffer.concat([before, Buffer.from([value]), after]);
    case "insert":
      return Buffer.concat([before, Buffer.alloc(length, value), bytes.subarray(place)]);
    case "remove":
      return Buffer.concat([before, bytes.subarray(place + length)]);
    case "repeat":
      return Buffer.concat([bytes.subarray(0, place + length), bytes.subarray(place)]);
    case "end":
      return before;
  }
}
