import { once } from "node:events";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { EchoRequestSchema } from "../gen/rpc/testing/echo_pb.ts";
import { frame, rawSession } from "./testing/raw-peer.ts";
import { all, useRigs } from "./testing/rigs.ts";

const startRig = useRigs();

const CHUNK = new Uint8Array(64 * 1024);
const MEBIBYTE = 1024 * 1024;

/** Waits until `count` has not changed for a while. */
async function settled(count: () => number): Promise<number> {
  for (let last = -1; last !== count(); ) {
    last = count();
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return count();
}

test("a server writing to a client that does not read waits for it", async () => {
  let given = 0;
  const rig = await startRig({
    download: async function* () {
      for (; given < 2000; given += 1) {
        yield { data: CHUNK };
      }
    },
  });
  const session = await rawSession(rig, rig.clientLeaf);
  const stream = session.request({
    ":method": "POST",
    ":path": "/rpc.testing.EchoService/Download",
    "content-type": "application/grpc",
  });
  stream.on("error", () => undefined);
  stream.end(frame(toBinary(EchoRequestSchema, create(EchoRequestSchema, {}))));
  await once(stream, "response");
  // Of 125 MiB on offer, no more than the flow control window and one message has left the handler.
  expect((await settled(() => given)) * CHUNK.length).toBeLessThan(MEBIBYTE);
  stream.close();
  session.destroy();
  await expect.poll(() => rig.server.activeCalls).toBe(0);
});

test("a client reading slowly holds the server back, and gets everything", async () => {
  let given = 0;
  const rig = await startRig({
    download: async function* () {
      for (; given < 200; given += 1) {
        yield { count: given, data: CHUNK };
      }
    },
  });
  let taken = 0;
  for await (const { count } of rig.echo.download({})) {
    expect(count).toBe(taken);
    taken += 1;
    if (taken === 3) {
      expect(((await settled(() => given)) - taken) * CHUNK.length).toBeLessThan(MEBIBYTE);
    }
  }
  expect(taken).toBe(200);
});

test("a server that does not read holds its client back", async () => {
  let given = 0;
  const open = Promise.withResolvers<void>();
  const rig = await startRig({
    upload: async (requests) => {
      await open.promise;
      return { count: (await all(requests)).length };
    },
  });
  const source = async function* () {
    for (; given < 200; given += 1) {
      yield { data: CHUNK };
    }
  };
  const answer = rig.echo.upload(source(), { timeoutMs: 60_000 });
  // grpc-js keeps up to 1 MiB for a retry until the server's first header.
  expect((await settled(() => given)) * CHUNK.length).toBeLessThan(3 * MEBIBYTE);
  open.resolve();
  expect(await answer).toMatchObject({ count: 200 });
});

test("who is let into a stream that goes both ways may send more ahead from then on", async () => {
  const rig = await startRig({
    chat: async function* (requests) {
      for await (const { count } of requests) {
        yield { count };
      }
    },
  });
  const session = await rawSession(rig, rig.clientLeaf);
  const window = () => session.remoteSettings.initialWindowSize ?? 0;
  const stream = session.request({
    ":method": "POST",
    ":path": "/rpc.testing.EchoService/Chat",
    "content-type": "application/grpc",
  });
  stream.on("error", () => undefined);
  expect(window()).toBeLessThan(256 * 1024);
  await expect.poll(window).toBe(256 * 1024);
  stream.close();
  session.destroy();
});
