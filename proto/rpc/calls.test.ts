import { expect, test } from "vitest";
import { all, requests, useRigs } from "./testing/rigs.ts";

const startRig = useRigs();

test("all four kinds carry their messages, in order", async () => {
  const { echo, observations } = await startRig();
  expect(await echo.unary({ text: "007 — ünïcode" })).toMatchObject({ text: "007 — ünïcode" });
  const counts = (await all(echo.download({ count: 40 }))).map((item) => item.count);
  expect(counts).toEqual(Array.from({ length: 40 }, (_, index) => index));
  expect(await echo.upload(requests(1, 2, 3))).toMatchObject({ count: 6 });
  expect((await all(echo.chat(requests(5, 6, 7)))).map((item) => item.count)).toEqual([5, 6, 7]);
  expect(observations.map(({ method, code }) => `${method} ${code}`)).toEqual([
    "/rpc.testing.EchoService/Unary ok",
    "/rpc.testing.EchoService/Download ok",
    "/rpc.testing.EchoService/Upload ok",
    "/rpc.testing.EchoService/Chat ok",
  ]);
});

test("streams of no messages are streams", async () => {
  const { echo } = await startRig();
  expect(await all(echo.download({}))).toEqual([]);
  expect(await echo.upload(requests())).toMatchObject({ count: 0 });
  expect(await all(echo.chat(requests()))).toEqual([]);
});

test("the context says who calls, by what, until when", async () => {
  const seen: unknown[] = [];
  const { echo, clientLeaf } = await startRig({
    unary: async (_request, { peer, principal, metadata, method, deadline }) => {
      const left = (deadline?.getTime() ?? 0) - Date.now();
      seen.push(
        peer.address,
        peer.certificateChain[0]?.toString("hex"),
        principal,
        metadata.get("hps-version"),
        metadata.get("x-trace"),
        method.name,
        left > 9000,
      );
      return {};
    },
  });
  await echo.unary({}, { timeoutMs: 10_000, metadata: { "x-trace": "7" } });
  expect(seen).toEqual(["127.0.0.1", clientLeaf.der.toString("hex"), "127.0.0.1", "0.1.0", "7", "Unary", true]);
});

test("a handler may leave the loop over its requests and still answer", async () => {
  const { echo } = await startRig({
    upload: async (source) => {
      for await (const request of source) {
        return { count: request.count };
      }
      return {};
    },
    chat: async function* (source) {
      for await (const request of source) {
        yield { text: "first", count: request.count };
        break;
      }
      for await (const request of source) {
        yield { text: "rest", count: request.count };
      }
    },
  });
  expect(await echo.upload(requests(4, 5, 6))).toMatchObject({ count: 4 });
  const answers = await all(echo.chat(requests(1, 2, 3)));
  expect(answers.map(({ text, count }) => `${text} ${count}`)).toEqual(["first 1", "rest 2", "rest 3"]);
});
