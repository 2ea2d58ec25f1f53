import { randomBytes } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ServeShellResponseSchema } from "../gen/hps/v1/agent_pb.ts";
import { OpenSessionResponseSchema } from "../gen/hps/v1/shell_pb.ts";
import { decode, encode, type Frame, MAX_MESSAGE_BYTES, PREFIX_BYTES } from "./wire.ts";

test.each([0, 1, 4095, 4096, 65_536, 1_000_000])("%i bytes in a message come out as they went in", (size) => {
  const value = randomBytes(size);
  const message = { participant: "p1", message: { case: "errorOutput", value } } as const;
  const whole = create(OpenSessionResponseSchema, message);
  for (const given of [message, whole]) {
    const bytes = unframed(encode(OpenSessionResponseSchema, given));
    const { participant, message: carried } = decode(OpenSessionResponseSchema, bytes);
    expect(participant).toBe("p1");
    expect(carried.case).toBe("errorOutput");
    expect(Buffer.compare(Buffer.from(carried.value instanceof Uint8Array ? carried.value : []), value)).toBe(0);
  }
  expect(whole).toEqual(create(OpenSessionResponseSchema, message));
});

test("bulk is not copied into its frame, and what is small is", () => {
  for (const size of [4095, 4096]) {
    const value = Buffer.alloc(size, "x");
    const frame = encode(ServeShellResponseSchema, { message: { case: "input", value } });
    value.fill("y");
    const { message } = decode(ServeShellResponseSchema, unframed(frame));
    expect(message).toEqual({ case: "input", value: Buffer.alloc(size, frame.length === 1 ? "x" : "y") });
    expect(frame).toHaveLength(size < 4096 ? 1 : 2);
  }
});

test.each([
  ["bytes that end too early", [0x0a, 5, 1, 2]],
  ["a length without an end", [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ["a field that is none", [0x07]],
])("%s are refused", (_, bytes) => {
  expect(() => decode(ServeShellResponseSchema, Buffer.from(bytes))).toThrow("not a valid hps.v1.ServeShellResponse");
});

test("of a message with several alternatives the last counts, and what is beside them is not lost", () => {
  const [first, last] = ["output", "errorOutput"].map((name) =>
    unframed(encode(OpenSessionResponseSchema, { message: { case: name as "output", value: Buffer.from(name) } })),
  );
  const named = toBinary(OpenSessionResponseSchema, create(OpenSessionResponseSchema, { participant: "p1" }));
  const all = Buffer.concat([first ?? named, named, last ?? named]);
  const { message, participant } = decode(OpenSessionResponseSchema, all);
  expect({ participant, kind: message.case }).toEqual({ participant: "p1", kind: "errorOutput" });
});

test("what is too large is refused, bulk or not", () => {
  for (const size of [MAX_MESSAGE_BYTES - 3, MAX_MESSAGE_BYTES]) {
    const message = { message: { case: "input", value: Buffer.alloc(size) } } as const;
    expect(() => encode(ServeShellResponseSchema, message)).toThrow("is above the limit of 1048576 bytes");
  }
});

/** As it is when grpc-js has read it. */
function unframed(frame: Frame): Buffer {
  const whole = Buffer.concat(frame);
  expect(whole.readUInt8()).toBe(0);
  expect(whole.readUInt32BE(1)).toBe(whole.length - PREFIX_BYTES);
  return whole.subarray(PREFIX_BYTES);
}
