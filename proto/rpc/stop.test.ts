import { expect, test } from "vitest";
import { EchoService } from "../gen/rpc/testing/echo_pb.ts";
import { client } from "./rpc-client.ts";
import { all, failure, silence, useRigs } from "./testing/rigs.ts";

const startRig = useRigs();

test("streams are told, unary work is finished, new calls are refused, nothing is left", async () => {
  const started = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const reasons: unknown[] = [];
  const rig = await startRig({
    unary: async () => {
      started.resolve();
      await finish.promise;
      return { text: "finished" };
    },
    chat: async function* (_requests, { signal }) {
      signal.addEventListener("abort", () => reasons.push(signal.reason));
      yield {};
      yield* silence();
    },
  });
  const told = failure(all(rig.echo.chat(silence())));
  const work = rig.echo.unary({});
  await started.promise;
  await expect.poll(() => rig.server.activeCalls).toBe(2);
  const stopping = rig.server.stop(10_000);
  expect(await told).toMatchObject({ code: "unavailable", message: "server is stopping" });
  expect(reasons).toMatchObject([{ code: "unavailable" }]);
  expect(await failure(client(EchoService, rig.open()).unary({}))).toMatchObject({ code: "unavailable" });
  finish.resolve();
  expect(await work).toMatchObject({ text: "finished" });
  await stopping;
  expect(rig.server.connections).toBe(0);
});

test("work that does not finish is told the same when the grace is over", async () => {
  const started = Promise.withResolvers<void>();
  const rig = await startRig({
    unary: async () => {
      started.resolve();
      return new Promise(() => undefined);
    },
  });
  const work = failure(rig.echo.unary({}));
  await started.promise;
  await rig.server.stop(300);
  expect(await work).toMatchObject({ code: "unavailable", message: "server is stopping" });
  expect(rig.server.connections).toBe(0);
});

test("a peer that reads nothing does not hold the server", async () => {
  const data = new Uint8Array(512 * 1024);
  const rig = await startRig({
    download: async function* () {
      for (;;) {
        yield { data };
      }
    },
  });
  const iterator = rig.echo.download({})[Symbol.asyncIterator]();
  await iterator.next();
  await rig.server.stop(300);
  expect(rig.server.connections).toBe(0);
  expect(rig.server.activeCalls).toBe(0);
});
