import { randomBytes } from "node:crypto";
import { create, fromBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ServeShellResponseSchema } from "../gen/hps/v1/agent_pb.ts";
import { OpenSessionResponseSchema } from "../gen/hps/v1/shell_pb.ts";
import { decode, encode, MAX_MESSAGE_BYTES } from "./wire.ts";

test.each([0, 1, 4095, 4096, 65_536, 1_000_000])("%i bytes in a message come out as they went in", (size) => {
  const value = randomBytes(size);
  const message = { participant: "p1", message: { case: "errorOutput", value } } as const;
  const whole = create(OpenSessionResponseSchema, message);
  for (const given of [message, whole]) {
    const bytes = encode(OpenSessionResponseSchema, given);
    const { participant, message: carried } = decode(OpenSessionResponseSchema, bytes);
    expect(participant).toBe("p1");
    expect(carried.case).toBe("errorOutput");
    expect(Buffer.compare(Buffer.from(carried.value instanceof Uint8Array ? carried.value : []), value)).toBe(0);
  }
  expect(whole).toEqual(create(OpenSessionResponseSchema, message));
});

test("bulk is in a message once, copied, and nothing else is", () => {
  const value = Buffer.alloc(8192, "x");
  const bytes = encode(ServeShellResponseSchema, { message: { case: "input", value } });
  value.fill("y");
  expect(bytes).toHaveLength(8192 + 3);
  expect(fromBinary(ServeShellResponseSchema, bytes).message.value).toEqual(Buffer.alloc(8192, "x"));
});

test("what is too large is refused, bulk or not", () => {
  for (const size of [MAX_MESSAGE_BYTES - 3, MAX_MESSAGE_BYTES]) {
    const message = { message: { case: "input", value: Buffer.alloc(size) } } as const;
    expect(() => encode(ServeShellResponseSchema, message)).toThrow("is above the limit of 1048576 bytes");
  }
});
