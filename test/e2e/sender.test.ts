import { expect, test } from "vitest";
import { createRack, type RackClient } from "../lab/rack.ts";
import { must } from "../lab/run.ts";

const HOST = "52:54:00:00:01:01";
const THIEF = "52:54:00:00:0f:01";
const module = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);

/** Answers each request with what the neighbour table says of its sender. */
const PROBE = `import { createServer } from "node:http";
import { neighbourReader } from ${module("server/boot/neighbours.ts")};
import { parseIpAddress } from ${module("proto/values/ip-address.ts")};
import { parseIpv4Network } from ${module("proto/values/ipv4-network.ts")};
const read = neighbourReader(parseIpv4Network("10.77.0.0/24"));
createServer(async (request, reply) => reply.end(JSON.stringify(await read(parseIpAddress(request.socket.remoteAddress)))))
  .listen(7080, "::", () => console.log("listening"));`;

test("the neighbour table names who really sends, also from an address that was another's", async () => {
  await using rack = await createRack({ clients: [HOST, THIEF] });
  const [host, thief] = [rack.client(0), rack.client(1)];
  await rack.start({ argv: [process.execPath, "--input-type=module", "-e", PROBE], readyLine: /listening/ });
  const take = (client: RackClient, address: string) =>
    must(["ip", "addr", "replace", `${address}/24`, "dev", "eth0"], { ns: client.ns });
  const ask = async (client: RackClient, address: string): Promise<unknown> => {
    const argv = ["curl", "-sf", "--max-time", "10", "--interface", address, "http://10.77.0.1:7080/"];
    return JSON.parse(await must(argv, { ns: client.ns }));
  };
  await take(host, "10.77.0.11");
  await take(thief, "10.77.0.12");
  expect(await ask(host, "10.77.0.11")).toEqual({ mac: HOST });
  expect(await ask(thief, "10.77.0.12")).toEqual({ mac: THIEF });

  // The host is off; the thief takes its address, and the kernel learns the new neighbour.
  await must(["ip", "link", "set", "eth0", "down"], { ns: host.ns });
  await rack.run(["ip", "neigh", "flush", "all"]);
  await take(thief, "10.77.0.11");
  expect(await ask(thief, "10.77.0.11")).toEqual({ mac: THIEF });
});
