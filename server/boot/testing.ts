/** For tests of the boot door: a real one on loopback, before the real gate. */

import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type IncomingHttpHeaders, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { type GateRig, MAC, openGateRig } from "../core/gate/testing.ts";
import { type BootRoute, createBootDoor } from "./boot-door.ts";
import { bootRoutes } from "./boot-routes.ts";

export const QUICK = { headersTimeout: 300, requestTimeout: 300, connectionsCheckingInterval: 50 };
export const LOOPBACK = "127.0.0.1";
export const KERNEL = Buffer.alloc(300_000, "kernel");

interface Reply {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Asking {
  readonly method?: string;
  readonly agent?: string;
  readonly accept?: string;
  readonly body?: string;
}

export interface Door extends AsyncDisposable {
  readonly rig: GateRig;
  readonly port: number;
  /** What the installer's files are read from; what is beside it must stay unread. */
  readonly files: string;
  /** Failures that were reported. */
  readonly failures: unknown[];
  /** The path goes out as it is given. */
  readonly ask: (path: string, how?: Asking) => Promise<Reply>;
}

/** The boot door before the real gate; the tests' own machine is the known host. */
export async function openDoor(more: Readonly<Record<string, BootRoute>> = {}, limits = QUICK): Promise<Door> {
  const rig = await openGateRig();
  rig.lease(MAC, LOOPBACK);
  const folder = await mkdtemp(join(tmpdir(), "hps-door-"));
  const files = join(folder, "boot");
  await mkdir(files);
  await writeFile(join(files, "kernel"), KERNEL);
  await writeFile(join(folder, "secret"), "secret");
  const { boot: gate, claims, files: fileGate, beacons } = rig.core.gate;
  // The tests' installer has whatever is in the folder.
  const fileOf = (name: string) => (existsSync(join(files, name)) ? join(files, name) : undefined);
  const bootUrl = "http://10.0.0.1:7080";
  const neighbourOf = async () => ({ mac: MAC });
  const failures: unknown[] = [];
  const server = createBootDoor({
    routes: {
      ...bootRoutes({ gate, claims, fileGate, beacons, neighbourOf, fileOf, bootUrl, kernelArguments: ["quiet"] }),
      ...more,
    },
    onError: (_, error) => `incident${failures.push(error)}`,
    limits,
  });
  server.listen(0, LOOPBACK);
  await once(server, "listening");
  // A server that listens on TCP has an address of this kind.
  const { port } = server.address() as AddressInfo;
  const ask = (path: string, { method = "GET", agent = "curl/8", accept, body }: Asking = {}) =>
    new Promise<Reply>((resolve, reject) => {
      const headers = { "user-agent": agent, ...(accept && { accept }) };
      request({ host: LOOPBACK, port, path, method, headers, agent: false }, (reply) => {
        buffer(reply).then((body) => resolve({ status: reply.statusCode, headers: reply.headers, body }), reject);
      })
        .on("error", reject)
        .end(body);
    });
  const dispose = async () => {
    server.closeAllConnections();
    server.close();
    await rig[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  };
  return { rig, port, files, failures, ask, [Symbol.asyncDispose]: dispose };
}
