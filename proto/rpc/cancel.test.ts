import { expect, test } from "vitest";
import { HpsError } from "../values/hps-error.ts";
import type { CallContext, IncomingCall } from "./handlers.ts";
import type { CallOptions } from "./rpc-client.ts";
import type { EchoHandlers, Rig } from "./testing/echo-rig.ts";
import { aborted, all, failure, silence, useRigs } from "./testing/rigs.ts";

const startRig = useRigs();

type Context = CallContext<string>;

/** Handlers that wait for their signal and nothing else, or not even for that. */
function waiting(onCall: (ctx: Context) => void, heedful: boolean): EchoHandlers {
  const wait = async (ctx: Context): Promise<never> => {
    onCall(ctx);
    if (!heedful) {
      await new Promise(() => undefined);
    }
    throw await aborted(ctx.signal);
  };
  return {
    unary: (_request, ctx) => wait(ctx),
    upload: (_requests, ctx) => wait(ctx),
    download: async function* (_request, ctx) {
      yield {};
      await wait(ctx);
    },
    chat: async function* (_requests, ctx) {
      yield {};
      await wait(ctx);
    },
  };
}

const KINDS = {
  unary: ({ echo }: Rig, options: CallOptions) => echo.unary({}, options),
  download: ({ echo }: Rig, options: CallOptions) => all(echo.download({}, options)),
  upload: ({ echo }: Rig, options: CallOptions) => echo.upload(silence(), options),
  chat: ({ echo }: Rig, options: CallOptions) => all(echo.chat(silence(), options)),
};

const kinds = Object.entries(KINDS).flatMap(([name, run]) => [
  { name, heedful: true, run },
  { name, heedful: false, run },
]);

test.each(kinds)("$name (heeds its signal: $heedful) hears of the caller's AbortSignal", async ({ heedful, run }) => {
  const called = Promise.withResolvers<Context>();
  const rig = await startRig(waiting(called.resolve, heedful));
  const controller = new AbortController();
  const outcome = failure(run(rig, { signal: controller.signal }));
  const { signal } = await called.promise;
  controller.abort(new Error("changed my mind"));
  expect(await outcome).toMatchObject({ code: "cancelled", cause: controller.signal.reason });
  expect(await aborted(signal)).toMatchObject({ code: "cancelled" });
  expect(rig.channel.calls.size).toBe(0);
  await expect.poll(() => rig.server.activeCalls).toBe(0);
});

test.each(kinds)("$name (heeds its signal: $heedful) ends at its deadline on both sides", async ({ heedful, run }) => {
  const called = Promise.withResolvers<Context>();
  const rig = await startRig(waiting(called.resolve, heedful));
  // Connected beforehand, so that the deadline falls into the handler.
  await failure(rig.echo.unary({}, { timeoutMs: 1 }));
  const error = await failure(run(rig, { timeoutMs: 1_000 }));
  expect(error).toMatchObject({ code: "deadline" });
  expect(await aborted((await called.promise).signal)).toBeInstanceOf(HpsError);
  await expect.poll(() => rig.server.activeCalls).toBe(0);
});

test.each(kinds)(
  "$name (heeds its signal: $heedful) can be ended by its server at any time",
  async ({ heedful, run }) => {
    const reason = new HpsError("aborted", "a newer agent has attached", { hint: "stop this one" });
    const rig = await startRig(waiting((ctx) => setImmediate(() => ctx.end(reason)), heedful));
    expect(await failure(run(rig, {}))).toMatchObject({ code: "aborted", message: reason.message, hint: reason.hint });
    expect(rig.server.activeCalls).toBe(0);
    expect(rig.incidents).toEqual([]);
  },
);

test.each(kinds)("$name hears of a lost connection", async ({ run }) => {
  const called = Promise.withResolvers<Context>();
  const rig = await startRig(waiting(called.resolve, true));
  const outcome = failure(run(rig, {}));
  const { signal } = await called.promise;
  rig.channel.close();
  expect(await outcome).toMatchObject({ code: "cancelled" });
  expect(await aborted(signal)).toMatchObject({ code: "cancelled" });
});

test("an aborted signal starts no call", async () => {
  const rig = await startRig();
  for (const run of Object.values(KINDS)) {
    expect(await failure(run(rig, { signal: AbortSignal.abort() }))).toMatchObject({ code: "cancelled" });
  }
  expect(rig.observations).toEqual([]);
});

test("leaving the loop over a response stream cancels the call and its source of requests", async () => {
  const ends: unknown[] = [];
  const rig = await startRig({
    chat: async function* (_requests, { signal }) {
      signal.addEventListener("abort", () => ends.push(signal.reason));
      yield {};
      yield* silence();
    },
  });
  let closed = false;
  const finish = async () => {
    closed = true;
    return { done: true as const, value: undefined };
  };
  const source = { [Symbol.asyncIterator]: () => ({ ...silence()[Symbol.asyncIterator](), return: finish }) };
  for await (const _response of rig.echo.chat(source)) {
    break;
  }
  await expect.poll(() => ends).toMatchObject([{ code: "cancelled" }]);
  expect(closed).toBe(true);
});

test("what a handler throws once its call is over is an incident, unless it is the abort itself", async () => {
  const rig = await startRig({
    unary: async (_request, { signal }) => {
      await aborted(signal);
      signal.throwIfAborted();
      return {};
    },
    upload: async (_requests, { signal }) => {
      await aborted(signal);
      throw new Error("a bug in the clean-up");
    },
  });
  await failure(rig.echo.unary({}, { timeoutMs: 50 }));
  await failure(rig.echo.upload(silence(), { timeoutMs: 200 }));
  await expect.poll(() => rig.incidents).toMatchObject([{ method: "/rpc.testing.EchoService/Upload" }]);
});

test("the calls of one principal can be ended, also those being decided at that moment", async () => {
  const deciding = Promise.withResolvers<void>();
  const decide = Promise.withResolvers<void>();
  const authorize = async ({ metadata }: IncomingCall) => {
    if (metadata.get("x-wait") === "yes") {
      deciding.resolve();
      await decide.promise;
    }
    return metadata.get("x-name") ?? "";
  };
  const handled: string[] = [];
  const rig = await startRig(
    {
      chat: async function* (_requests, { principal }) {
        handled.push(principal);
        yield {};
        yield* silence();
      },
    },
    { authorize },
  );
  const chat = (name: string, wait: string) =>
    failure(all(rig.echo.chat(silence(), { metadata: { "x-name": name, "x-wait": wait } })));
  const outcomes = [chat("bad", "no"), chat("good", "no"), chat("bad", "yes")];
  await deciding.promise;
  await expect.poll(() => handled).toEqual(["bad", "good"]);
  const reason = new HpsError("unauthenticated", "the certificate is revoked");
  rig.server.endCalls(({ principal }) => principal === "bad", reason);
  decide.resolve();
  const revoked = { code: "unauthenticated", message: reason.message };
  expect(await outcomes[0]).toMatchObject(revoked);
  expect(await outcomes[2]).toMatchObject(revoked);
  expect(handled).toEqual(["bad", "good"]);
  expect(rig.server.activeCalls).toBe(1);
});

test("a call ends when its principal's right does", async () => {
  const expiry = () => new Date(Date.now() + 200);
  const rig = await startRig({ chat: () => silence() }, { expiry });
  expect(await failure(all(rig.echo.chat(silence())))).toMatchObject({
    code: "unauthenticated",
    message: "the certificate has expired",
  });
});
