import { mkdtemp, rm } from "node:fs/promises";
import { Recorder } from "./server/core/shells/recorder.ts";
import { parseTerminalType } from "./proto/values/terminal.ts";
const folder = await mkdtemp("/tmp/hps-record-cast-");
const start = { command: [], terminal: { term: parseTerminalType("xterm"), rows: 24, columns: 80 }, reason: "", environment: {} };
for (let k = 0; k < 3; k++) {
const r = await Recorder.create({ folder, mode: "strict" }, { id: `s${k}`, host: "h1", operator: "alice", reason: "", startedAt: Date.now() }, start);
const one = Buffer.from("a"); const lat = [];
for (let i = 0; i < 3000; i++) { const t = performance.now(); await r.output("output", one); lat.push(performance.now() - t); }
lat.sort((a, b) => a - b);
const big = Buffer.from("0123456789abcdef text\r\n".repeat(3000).slice(0, 65536));
const t = performance.now(); for (let i = 0; i < 1000; i++) await r.output("output", big);
const s = (performance.now() - t) / 1000;
console.log("key p50 us", (lat[1500] * 1000).toFixed(0), "p99", (lat[2970] * 1000).toFixed(0), "bulk MB/s", (65.536 / s).toFixed(0));
await r.finish({ code: 0, reason: "", traffic: {} });
}
await rm(folder, { recursive: true });
