import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { xzContent } from "./xz.ts";

const content = Buffer.concat([randomBytes(600_000), Buffer.alloc(3_000_000)]);
const packed = (data: Buffer, level = "-1") =>
  execFileSync("xz", [level, "--stdout"], { input: data, maxBuffer: 2 ** 26, timeout: 60_000 });

async function* pieces(data: Buffer, size = 10_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}
const whole = async (source: AsyncIterable<Buffer>) => Buffer.concat(await Array.fromAsync(xzContent(source)));

test("all streams of it, one after the other", async () => {
  expect((await whole(pieces(packed(content)))).equals(content)).toBe(true);
  const two = Buffer.concat([packed(content, "-9"), packed(Buffer.from("end"))]);
  expect((await whole(pieces(two))).equals(Buffer.concat([content, Buffer.from("end")]))).toBe(true);
});

test("damaged, cut and foreign data are refused with xz's words; an error of the source passes as it is", async () => {
  const data = packed(content);
  const damaged = Buffer.from(data);
  damaged.writeUInt8(damaged.readUInt8(300_000) ^ 1, 300_000);
  await expect(whole(pieces(damaged))).rejects.toThrow(/xz data is damaged: .*corrupt/i);
  await expect(whole(pieces(data.subarray(0, -1)))).rejects.toThrow(/xz data is damaged: .*Unexpected end of input/);
  await expect(whole(pieces(Buffer.from("no xz at all")))).rejects.toThrow(/xz data is damaged: .*not recognized/);
  async function* failing() {
    yield* pieces(data.subarray(0, 200_000));
    throw new HpsError("data-loss", "other content");
  }
  await expect(whole(failing())).rejects.toThrow("other content");
});

test("a reader that goes away ends it, and one that waits holds it back", async () => {
  let read = 0;
  async function* counted() {
    for await (const piece of pieces(packed(randomBytes(4_000_000), "-0"), 65_536)) {
      read += piece.length;
      yield piece;
    }
  }
  for await (const chunk of xzContent(counted())) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  expect(read).toBeLessThan(2_000_000);
});
