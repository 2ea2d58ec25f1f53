import { expect, test } from "vitest";
import { parseMac } from "../../proto/values/mac.ts";
import { identifySender, type Sender } from "../../server/boot/client-mac.ts";
import { createRack, type RackClient } from "../lab/rack.ts";
import { must } from "../lab/run.ts";

const HOST = "52:54:00:00:01:01";
const THIEF = "52:54:00:00:0f:01";
const module = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);

/** Answers each request with what the neighbour table says of its sender. */
const PROBE = `import { createServer } from "node:http";
import { neighbourOf } from ${module("server/boot/neighbours.ts")};
import { parseIpv4 } from ${module("proto/values/ip-address.ts")};
createServer(async (request, reply) => reply.end(await neighbourOf(parseIpv4(request.socket.remoteAddress)) ?? "none"))
  .listen(7080, "0.0.0.0", () => console.log("listening"));`;

test("the sender is who the neighbour table and the lease say, not who it says it is", async () => {
  await using rack = await createRack({ clients: [HOST, THIEF] });
  const [host, thief] = [rack.client(0), rack.client(1)];
  await rack.start({ argv: [process.execPath, "--input-type=module", "-e", PROBE], readyLine: /listening/ });
  // The lease of .11 is the host's; .12 is the thief's.
  const leases = new Map(
    [
      ["10.77.0.11", HOST],
      ["10.77.0.12", THIEF],
    ].map(([address, mac = ""]) => [address, parseMac(mac)]),
  );
  const take = (client: RackClient, address: string) =>
    must(["ip", "addr", "replace", `${address}/24`, "dev", "eth0"], { ns: client.ns });
  const ask = async (client: RackClient, address: string, claimed: string): Promise<Sender> => {
    const seen = await must(["curl", "-sf", "--max-time", "10", "--interface", address, "http://10.77.0.1:7080/"], {
      ns: client.ns,
    });
    const neighbour = seen === "none" ? undefined : parseMac(seen);
    return identifySender({ claimed, leased: leases.get(address), onLink: true, neighbour });
  };
  await take(host, "10.77.0.11");
  await take(thief, "10.77.0.12");
  expect(await ask(host, "10.77.0.11", HOST)).toEqual({ known: true, mac: HOST });
  expect(await ask(thief, "10.77.0.12", HOST)).toMatchObject({ reason: "the MAC address is not the sender's" });

  // The host is off; the thief takes its address, and the kernel learns the new neighbour.
  await must(["ip", "link", "set", "eth0", "down"], { ns: host.ns });
  await rack.run(["ip", "neigh", "flush", "all"]);
  await take(thief, "10.77.0.11");
  expect(await ask(thief, "10.77.0.11", HOST)).toMatchObject({ reason: "the address is used by another machine" });
});
