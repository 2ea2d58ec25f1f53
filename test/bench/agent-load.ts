/** A load generator: attaches its share of the fleet, then sends heartbeats and events by the clock, whatever comes back. */
import { readFileSync } from "node:fs";
import type { Fleet } from "./fleet.ts";
import { LoadAgent } from "./load-agent.ts";
import type { FromLoad, LoadOrder, ToLoad } from "./load-messages.ts";

const HEARTBEAT_MS = 30_000;
const EVENT_MS = 500;
const TICK_MS = 4;
/** Agents that attach at one time. */
const AT_ONCE = 32;
/** Connections from one address: hpsd lets one have 128. */
const PER_ADDRESS = 100;
/** For what is on its way when measuring ends. */
const DRAIN_MS = 5_000;

const tell = (message: FromLoad) => process.send?.(message);
const agents: LoadAgent[] = [];
const latencies: number[] = [];
const lags: number[] = [];
let window = { from: Number.POSITIVE_INFINITY, to: Number.POSITIVE_INFINITY };
let over = false;

function fail(reason: string): void {
  if (over) return;
  over = true;
  tell({ kind: "failed", reason });
}

async function attach({ fleetFile, port, target, from, count }: LoadOrder): Promise<void> {
  const fleet: Fleet = JSON.parse(readFileSync(fleetFile, "utf8"));
  const waiting = fleet.agents.slice(from, from + count).entries();
  const start = performance.now();
  const onAcknowledged = (sentAt: number, at: number) => {
    if (sentAt >= window.from && sentAt < window.to) latencies.push(at - sentAt);
  };
  const worker = async () => {
    for (const [index, agent] of waiting) {
      const block = Math.floor((from + index) / PER_ADDRESS);
      const localAddress = `127.1.${Math.floor(block / 250)}.${(block % 250) + 1}`;
      const onEnd = (reason: string) => fail(`agent ${from + index}: ${reason}`);
      const made = new LoadAgent({ agent, ca: fleet.ca, port, localAddress, target, onAcknowledged, onEnd });
      agents.push(made);
      await made.attached;
      // From now on, while the others still attach: an agent that is silent for 90 s is gone.
      setInterval(() => made.heartbeat(), HEARTBEAT_MS);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  tell({ kind: "attached", ms: performance.now() - start });
}

/** Calls `send` for each of `all` once in `everyMs`, evenly spread; returns what to call often. */
function spread(all: readonly LoadAgent[], everyMs: number, send: (agent: LoadAgent, lateMs: number) => void) {
  const start = performance.now();
  const step = everyMs / all.length;
  let next = 0;
  return () => {
    const elapsed = performance.now() - start;
    for (; next * step <= elapsed; next += 1) {
      const agent = all[next % all.length];
      if (agent !== undefined) send(agent, elapsed - next * step);
    }
  };
}

function run(warmUpMs: number, measureMs: number): void {
  const from = performance.now() + warmUpMs;
  window = { from, to: from + measureMs };
  const installing = agents.filter((agent) => agent.installing);
  const events = spread(installing, EVENT_MS, (agent, late) => {
    if (performance.now() >= window.from) lags.push(late);
    agent.event();
  });
  const ticks = setInterval(() => {
    events();
    if (performance.now() < window.to) return;
    clearInterval(ticks);
    setTimeout(finish, DRAIN_MS);
  }, TICK_MS);
}

function finish(): void {
  over = true;
  tell({ kind: "measured", latencies, lags, lost: agents.reduce((sum, { lost }) => sum + lost, 0) });
}

process.on("message", (message: ToLoad) => {
  if (message.kind === "attach") attach(message.order).catch((error: unknown) => fail(String(error)));
  else run(message.warmUpMs, message.measureMs);
});
process.on("disconnect", () => process.exit(0));
