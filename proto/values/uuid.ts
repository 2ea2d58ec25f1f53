import { randomBytes } from "node:crypto";
import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** A UUID of any version in lower case with hyphens. */
export type Uuid = Brand<string, "Uuid">;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Reads 8-4-4-4-12 hexadecimal digits, any case. Version and variant are not looked at: firmware fills in what it likes. */
export function parseUuid(text: string): Uuid {
  if (!UUID.test(text)) {
    throw new HpsError("invalid", `not a UUID: ${quote(text)}`, {
      hint: "write it as 01890a5d-ac96-774b-bcce-b302099a8057",
    });
  }
  return branded<"Uuid", string>(text.toLowerCase());
}

/** The next version 7 UUID (RFC 9562, section 5.7), greater than every one this process made before. */
export const newUuid = uuidSource(Date.now);

/**
 * A source of version 7 UUIDs that only grow, also when `now` (UTC milliseconds) stands still or steps back:
 * the 12 bits after the time count within a millisecond (RFC 9562, section 6.2, method 1) and borrow the next one when full.
 */
export function uuidSource(now: () => number): () => Uuid {
  let time = -1;
  let counter = 0;
  return () => {
    const random = randomBytes(10);
    const current = now();
    if (current > time) {
      time = current;
      counter = random.readUInt16BE(8) & 0x7ff; // a start in the lower half leaves room to count
    } else if (counter < 0xfff) {
      counter += 1;
    } else {
      time += 1;
      counter = 0;
    }
    random.writeUInt8(0x80 | (random.readUInt8(0) & 0x3f), 0);
    const hex = `${time.toString(16).padStart(12, "0")}7${counter.toString(16).padStart(3, "0")}${random.toString("hex", 0, 8)}`;
    return branded<"Uuid", string>(hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"));
  };
}
