import { createSocket } from "node:dgram";
import { encodeRequest } from "./dhcp-packet.ts";

// A program for a client namespace, `node dhcp-ask.ts MAC OPTIONS-AS-JSON`: one DISCOVER a second until somebody answers, whose bytes it prints as hex.

const [mac = "", given = "{}"] = process.argv.slice(2);
const said: Readonly<Record<string, string>> = JSON.parse(given);
const options = new Map(Object.entries(said).map(([code, hex]) => [Number(code), Buffer.from(hex, "hex")]));
const socket = createSocket("udp4");
const ask = () => socket.send(encodeRequest({ transaction: 7, mac, type: 1, options }), 67, "255.255.255.255");
socket.bind(68, () => {
  socket.setBroadcast(true);
  const timer = setInterval(ask, 1000);
  socket.once("message", (bytes) => {
    clearInterval(timer);
    socket.close();
    process.stdout.write(`${bytes.toString("hex")}\n`);
  });
  ask();
});
