import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { EchoResponseSchema, EchoService } from "../gen/rpc/testing/echo_pb.ts";
import { ERROR_TABLE, HpsError } from "../values/hps-error.ts";
import { RpcServer } from "./rpc-server.ts";
import { aborted, all, failure, requests, silence, useRigs } from "./testing/rigs.ts";

const startRig = useRigs();

test("an HpsError arrives with code, message, hint and details, and without its cause", async () => {
  const thrown = new HpsError("precondition", "host web01 is not armed: ☃ 100 %", {
    hint: "arm it: hpsctl host arm web01 ✓",
    details: { host: "web01", état: "☃" },
    cause: new Error("secret"),
  });
  const { echo, incidents } = await startRig({
    unary: async () => {
      throw thrown;
    },
  });
  const error = await failure(echo.unary({}));
  expect(error).toBeInstanceOf(HpsError);
  const { code, message, hint, details } = thrown;
  expect(error).toMatchObject({ code, message, hint, details, cause: undefined });
  expect(incidents).toEqual([]);
});

test("every code of the table survives the way", async () => {
  const { echo } = await startRig({
    unary: async ({ text }) => {
      const code = Object.keys(ERROR_TABLE).find((name): name is keyof typeof ERROR_TABLE => name === text);
      throw new HpsError(code ?? "internal", `it was ${text}`);
    },
  });
  for (const code of Object.keys(ERROR_TABLE)) {
    expect(await failure(echo.unary({ text: code }))).toMatchObject({ code, message: `it was ${code}` });
  }
});

test.each(["lone \ud800 surrogate", "line\nfeed\0nul \u001b[31m", "x".repeat(100_000)])(
  "a message %# no header could carry is sent",
  async (text) => {
    const { echo } = await startRig({
      unary: async () => {
        throw new HpsError("invalid", text, { hint: text, details: { text } });
      },
    });
    const error = await failure(echo.unary({}));
    const sent = text.toWellFormed().slice(0, 4096);
    expect(error).toMatchObject({ code: "invalid", message: sent, hint: sent });
  },
);

/** What a failed command, a database or a library may throw. */
const FOREIGN = [
  new Error("dd: /dev/sda: secret"),
  Object.assign(new Error("secret"), { code: 7, details: "secret", metadata: "secret" }),
  Object.assign(new Error("secret"), { code: 77 }),
  Object.assign(new Error("secret"), { code: 0 }),
  "secret",
  undefined,
];

test.each(FOREIGN)("thrown text and numbers never reach the peer (%#)", async (thrown) => {
  const fail = () => {
    throw thrown;
  };
  const { echo, incidents } = await startRig({
    unary: async () => fail(),
    download: async function* () {
      yield {};
      fail();
    },
    // Not async: it throws before there is a promise.
    upload: () => fail(),
    chat: () => fail(),
  });
  const calls = [
    () => echo.unary({}),
    () => all(echo.download({})),
    () => echo.upload(requests(1)),
    // A client still talking hears of it at once.
    () => all(echo.chat(silence())),
  ];
  for (const call of calls) {
    const error = await failure(call());
    expect(error).toMatchObject({ code: "internal" });
    expect(String(error)).toMatch(/internal error, incident [0-9a-f]{8}$/);
    expect(JSON.stringify(error)).not.toContain("secret");
    const incident = incidents.shift();
    expect(String(error)).toContain(incident?.id);
    expect(incident?.error).toBe(thrown);
  }
});

test("a handler whose answer is no message is an incident", async () => {
  const { echo, incidents } = await startRig({ unary: async () => create(EchoResponseSchema, { count: -1 }) });
  expect(await failure(echo.unary({}))).toMatchObject({ code: "internal" });
  expect(incidents).toHaveLength(1);
});

test("a message above the limit is refused on either side with a sentence", async () => {
  const big = new Uint8Array(1024 * 1024 + 1);
  const { echo } = await startRig({ unary: async () => ({ data: big }) });
  const words = /bytes is above the limit of 1048576 bytes/;
  for (const request of [{ data: big }, {}]) {
    const error = await failure(echo.unary(request));
    expect(error).toMatchObject({ code: "exhausted" });
    expect(String(error)).toMatch(words);
  }
});

test("a failing source of requests is the caller's own error and cancels the call", async () => {
  const arrived = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<unknown>();
  const { echo } = await startRig({
    upload: async (source, { signal }) => {
      aborted(signal).then(ended.resolve, ended.reject);
      for await (const _request of source) {
        arrived.resolve();
      }
      return {};
    },
  });
  const own = new Error("disk gone");
  const source = async function* () {
    yield { count: 1 };
    await arrived.promise;
    throw own;
  };
  expect(await failure(echo.upload(source()))).toBe(own);
  expect(await ended.promise).toMatchObject({ code: "cancelled" });
});

test("a method without a handler, or with two, does not start", () => {
  const server = new RpcServer<string>({ authorize: async () => "", onError: () => undefined });
  const handlers = Object.fromEntries(["unary", "download", "upload"].map((name) => [name, () => undefined]));
  // Against the types, as a service grown by a method would be.
  expect(() => Reflect.apply(server.add, server, [EchoService, handlers])).toThrow("/rpc.testing.EchoService/Chat");
});
