/** One whole installation: its steps, what it fetched, the memory it took. */
import { type Installation, InstallationState, StepState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import type { InstallRack } from "../lab/install-rack.ts";
import { must } from "../lab/run.ts";
import { limit } from "../lab/vm/calibrate.ts";
import type { Slots } from "../lab/vm/slots.ts";
import { timePeer } from "./install-peer.ts";
import { inInstaller } from "./install-shell.ts";
import { attached, until } from "./install-watch.ts";

const HOST = "web01";
const MAC = "52:54:00:0b:01:01";
const GIB = 1024 ** 3;
const INSTALL_SECONDS = 300;
const SHELL_MS = 120_000;

/** Keeps the least free memory there was, looking twice a second, until the machine restarts. */
const WATCH_MEMORY = `cat >/run/least.sh <<'END'
least=99999999
while :; do
	while read -r name kilobytes unit; do
		[ "$name" = MemAvailable: ] && [ "$kilobytes" -lt "$least" ] && least=$kilobytes && echo "$least" >/run/least
	done </proc/meminfo
	usleep 500000
done
END
setsid sh /run/least.sh </dev/null >/dev/null 2>&1 &`;

const READ_MEMORY = `grep VmHWM /proc/$(pidof node)/status; echo "least $(cat /run/least)"; grep MemTotal /proc/meminfo`;

export interface Run {
  readonly installation: Installation;
  /** From the power button to the end of the last step, and then from the leave to restart to the attached system. */
  readonly stepsSeconds: number;
  readonly restartSeconds: number;
  /** On the wire to the machine, until the last step was done. */
  readonly wireBytes: number;
  /** In kB as the kernel counts: the agent's peak, the least free memory, and all there is. */
  readonly memory: { readonly agentPeak: number; readonly leastFree: number; readonly total: number };
  /** Seconds of `curl | zstd -d | tar -x` in the same machine. */
  readonly peer: readonly number[];
}

/** Installs an empty machine with a BIOS and 1 GiB. */
export async function timeInstallation(rack: InstallRack, slots: Slots, peerRounds: number): Promise<Run> {
  const disks = [{ bus: "virtio", bytes: 24 * GIB }] as const;
  await using vm = await rack.addMachine({ name: HOST, slots, firmware: "bios", disks, nics: [{ mac: MAC }] });
  const { id } = await FollowedInstallation.arm(rack, vm);
  const installation = { installation: id };
  await rack.hps.installations.pauseReboot(installation);
  const limitMs = await limit(INSTALL_SECONDS);
  const before = await sentBytes(rack);
  await vm.powerOn();
  const began = performance.now();
  await attached(rack, id, limitMs);
  await inInstaller(rack, { host: HOST, script: WATCH_MEMORY, limitMs: SHELL_MS });
  const done = await until(rack, id, limitMs, isDone);
  const stepsSeconds = (performance.now() - began) / 1000;
  const wireBytes = (await sentBytes(rack)) - before;
  const memory = memoryOf(await inInstaller(rack, { host: HOST, script: READ_MEMORY, limitMs: SHELL_MS }));
  const { source } = await rack.hps.images.getImage({ cluster: "lab", name: rack.image });
  const order = { host: HOST, installation: id, digest: source?.file?.digest ?? "" };
  const peer = await timePeer(rack, order, peerRounds);
  const resumed = performance.now();
  await rack.hps.installations.resumeReboot(installation);
  await until(rack, id, limitMs, ({ state }) => state === InstallationState.ENDED);
  const restartSeconds = (performance.now() - resumed) / 1000;
  return { installation: done, stepsSeconds, restartSeconds, wireBytes, memory, peer };
}

/** Fails at once when a step did: nothing would come after it. */
function isDone({ steps, state, reason }: Installation): boolean {
  if (state === InstallationState.FAILED) throw new Error(`the installation failed: ${reason}`);
  return steps.length > 0 && steps.every((step) => step.state === StepState.SUCCEEDED);
}

/** By the server to the machine, the only one that is on. */
async function sentBytes({ rack }: InstallRack): Promise<number> {
  const [link] = JSON.parse(await must(["ip", "-n", rack.server.ns, "-s", "-j", "link", "show", rack.server.nic]));
  return link.stats64.tx.bytes;
}

function memoryOf(said: string): Run["memory"] {
  const kilobytes = (pattern: RegExp) => Number(pattern.exec(said)?.[1]);
  return {
    agentPeak: kilobytes(/VmHWM:\s+(\d+) kB/),
    leastFree: kilobytes(/least (\d+)/),
    total: kilobytes(/MemTotal:\s+(\d+) kB/),
  };
}
