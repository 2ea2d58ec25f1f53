import { afterEach, expect, test } from "vitest";
import { HpsError } from "../values/hps-error.ts";
import type { RpcServerOptions } from "./rpc-server.ts";
import { type EchoHandlers, type Rig, startRig } from "./testing/echo-rig.ts";

const rigs: Rig[] = [];

async function rigOf(handlers: Partial<EchoHandlers> = {}, options: Partial<RpcServerOptions<string>> = {}) {
  const rig = await startRig(handlers, options);
  rigs.push(rig);
  return rig;
}

afterEach(async () => {
  await Promise.all(rigs.splice(0).map((rig) => rig.stop()));
});

async function* requests(...counts: number[]) {
  for (const count of counts) {
    yield { count };
  }
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) {
    items.push(item);
  }
  return items;
}

test("all four kinds carry their messages, in order", async () => {
  const { echo, observations } = await rigOf();
  expect(await echo.unary({ text: "007 — ünïcode" })).toMatchObject({ text: "007 — ünïcode" });
  expect((await all(echo.download({ count: 40 }))).map((item) => item.count)).toEqual(
    Array.from({ length: 40 }, (_, i) => i),
  );
  expect(await echo.upload(requests(1, 2, 3))).toMatchObject({ count: 6 });
  expect((await all(echo.chat(requests(5, 6, 7)))).map((item) => item.count)).toEqual([5, 6, 7]);
  expect(observations.map(({ method, code }) => `${method} ${code}`)).toEqual([
    "/rpc.testing.EchoService/Unary ok",
    "/rpc.testing.EchoService/Download ok",
    "/rpc.testing.EchoService/Upload ok",
    "/rpc.testing.EchoService/Chat ok",
  ]);
});

test("an HpsError arrives with code, message, hint and details", async () => {
  const thrown = new HpsError("precondition", "host web01 is not armed: ☃ 100 %", {
    hint: "arm it: hpsctl host arm web01 ✓",
    details: { host: "web01", état: "☃" },
    cause: new Error("secret"),
  });
  const { echo, incidents } = await rigOf({
    unary: async () => {
      throw thrown;
    },
  });
  const error = await echo.unary({}).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(HpsError);
  expect(error).toMatchObject({
    code: thrown.code,
    message: thrown.message,
    hint: thrown.hint,
    details: thrown.details,
  });
  expect(incidents).toEqual([]);
});
