import { expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "../gen/grpc/health/v1/health_pb.ts";
import { healthHandlers } from "./health.ts";
import { client } from "./rpc-client.ts";
import { failure, useRigs } from "./testing/rigs.ts";

const startRig = useRigs();

/** A server whose state the test sets. */
async function start() {
  const state = new Map([
    ["", true],
    ["hps.v1.HostService", true],
  ]);
  const listeners = new Set<() => void>();
  const set = (name: string, value: boolean) => {
    state.set(name, value);
    for (const listener of listeners) {
      listener();
    }
  };
  const subscribe = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const rig = await startRig();
  rig.server.add(Health, healthHandlers({ current: () => state, subscribe }));
  return { health: client(Health, rig.channel), set, listeners };
}

test("check and list say how the server is doing", async () => {
  const { health, set } = await start();
  expect(await health.check({})).toMatchObject({ status: Serving.SERVING });
  expect(await failure(health.check({ service: "no.Such" }))).toMatchObject({ code: "not-found" });
  set("", false);
  const expected = { "": { status: Serving.NOT_SERVING }, "hps.v1.HostService": { status: Serving.SERVING } };
  expect((await health.list({})).statuses).toMatchObject(expected);
});

test("watch tells the state now and every change, also of a service not yet known", async () => {
  const { health, set, listeners } = await start();
  const seen: Serving[] = [];
  for await (const { status } of health.watch({ service: "later" })) {
    seen.push(status);
    if (seen.length === 4) {
      break;
    }
    // A change of another service is none of this one's.
    set("", seen.length % 2 === 0);
    set("later", seen.length % 2 === 1);
  }
  expect(seen).toEqual([Serving.SERVICE_UNKNOWN, Serving.SERVING, Serving.NOT_SERVING, Serving.SERVING]);
  await expect.poll(() => listeners.size).toBe(0);
});
