import { kill } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { InterfaceName } from "../../proto/values/interface-name.ts";
import { type DhcpEvent, DhcpEvents } from "../plan/dhcp-event.ts";
import { runCommand } from "./run-command.ts";

/** The script that hands udhcpc's events on; part of the installer. */
const SCRIPT = "/lib/hps/dhcp-event";
const AGAIN_MS = 2_000;
const ENVIRONMENT = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };

/** Asks for an address on one interface and keeps it, until the signal. A client that ends is started again. */
export async function runDhcp(
  name: InterfaceName,
  onEvent: (event: DhcpEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await runOnce(name, onEvent, signal).catch(() => undefined);
    await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function runOnce(name: InterfaceName, onEvent: (event: DhcpEvent) => void, signal: AbortSignal): Promise<void> {
  // Three questions two seconds apart, five seconds' rest, for as long as it takes; then it renews.
  const patience = ["-t", "3", "-T", "2", "-A", "5"];
  const argv = ["udhcpc", "-f", "-i", name, "-s", SCRIPT, ...patience];
  const client = await runCommand(argv, { env: ENVIRONMENT, cwd: "/" });
  const end = () => {
    try {
      kill(-client.pid, "SIGTERM");
    } catch {
      // It has ended by itself.
    }
  };
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  const events = new DhcpEvents();
  client.stdin.end();
  client.stdout.on("data", (piece: Buffer) => {
    for (const event of events.push(piece)) onEvent(event);
  });
  client.stderr.resume();
  await client.exited;
  signal.removeEventListener("abort", end);
  for (const stream of [client.stdout, client.stderr]) stream.destroy();
}
