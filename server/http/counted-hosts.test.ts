import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { addTestCluster, addTestHost } from "../core/testing/open-test-store.ts";
import { issueTestPeer, openTestIdentity, type TestPeer } from "../core/testing/test-identity.ts";
import { addTestInstallation } from "../core/testing/test-rows.ts";
import { fileRoutes } from "./files.ts";
import { DOWNLOADS, HeldOpen } from "./held-open.ts";
import { PieceBuffers } from "./piece-buffers.ts";
import { openTestDoor } from "./testing.ts";

const GIVEN = "a".repeat(64);
const OTHER = "b".repeat(64);

/** A door that takes two requests a minute of one address, and installers that may have one file. */
async function openRig() {
  const identity = await openTestIdentity();
  const { store } = identity;
  const folder = await mkdtemp(path.join(tmpdir(), "hps-counted-"));
  const file = { path: path.join(folder, "file"), sizeBytes: 4 };
  await writeFile(file.path, "file");
  const clusterId = await addTestCluster(store);
  const routes = fileRoutes({
    resolve: (chain) => identity.principals.resolve(chain),
    fileFor: async (_, digest) => (digest === GIVEN ? file : undefined),
    refused: async () => "incident",
    ...{ onSent: () => undefined, downloads: new HeldOpen(DOWNLOADS), buffers: new PieceBuffers(), perMinute: 2 },
  });
  const door = await openTestDoor(identity, { routes: [routes], limits: { perMinute: 2 } });
  const agents: Agent[] = [];
  return {
    installer: async () => {
      const hostId = await addTestHost(store, clusterId);
      const subject = await addTestInstallation(store, hostId, clusterId, GIVEN);
      return await issueTestPeer(identity, { kind: "installer", subject, hostId, clusterId });
    },
    /** What is answered to each of so many requests over one connection. */
    asks: async (as: TestPeer | undefined, times: number, digest = GIVEN) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      agents.push(agent);
      const to = { host: "localhost", port: door.door.port, ca: identity.authority.rootPem, agent };
      const statuses: (number | undefined)[] = [];
      for (let count = 0; count < times; count += 1) {
        const options = { ...to, path: `/files/v1/${digest}`, ...(as && { key: as.key, cert: as.cert }) };
        const outgoing = request(options).end();
        const [response]: IncomingMessage[] = await once(outgoing, "response");
        statuses.push(response?.statusCode);
        await response?.resume().toArray();
      }
      return statuses;
    },
    [Symbol.asyncDispose]: async () => {
      for (const agent of agents) agent.destroy();
      await door[Symbol.asyncDispose]();
      await identity[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const times = (count: number, status: number) => Array.from({ length: count }, () => status);

test("hosts behind one address have each their own share, over all their connections; their address's is the others'", async () => {
  await using rig = await openRig();
  const [one, other] = [await rig.installer(), await rig.installer()];
  expect(await rig.asks(one, 15)).toEqual(times(15, 200));
  expect(await rig.asks(other, 25)).toEqual([...times(21, 200), ...times(4, 429)]);
  // Two first requests of connections: that is all this address may.
  expect(await rig.asks(undefined, 1)).toEqual([429]);
  expect(await rig.asks(one, 1)).toEqual([429]);
});

test("who gets nothing has no share, whatever certificate it shows", async () => {
  await using rig = await openRig();
  const installer = await rig.installer();
  expect(await rig.asks(installer, 3, OTHER)).toEqual([404, 404, 429]);
  expect(await rig.asks(undefined, 1)).toEqual([429]);
});
