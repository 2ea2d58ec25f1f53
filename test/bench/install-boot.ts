/** From the power button to the attached agent, and to a busybox shell of the same kernel; where the time goes. */
import { BUSYBOX_PROMPT } from "../lab/busybox-installer.ts";
import type { HpsdRack } from "../lab/hpsd-rack.ts";
import type { InstallRack } from "../lab/install-rack.ts";
import { limit } from "../lab/vm/calibrate.ts";
import type { Slots } from "../lab/vm/slots.ts";
import { createVm } from "../lab/vm/vm.ts";
import { attached } from "./install-watch.ts";
import { median } from "./quantiles.ts";
import { type Row, row } from "./row.ts";

const BOOT_SECONDS = 90;

/** What the console says at the end of each part of the way; the last part ends at what is waited for. */
const FIRMWARE = { name: "firmware, DHCP, iPXE", ends: /^HPS: installing/m };
const FETCH = { name: "fetching kernel and initramfs", ends: /\/claims\/\S+ ok/ };
const KERNEL = { name: "until the kernel speaks", ends: /Linux version/ };
const PEER_PARTS = [FIRMWARE, FETCH, KERNEL];
const OUR_PARTS = [
  ...PEER_PARTS,
  { name: "kernel, unpacking the initramfs", ends: /^HPS: starting/m },
  { name: "drivers, start of Node and agent", ends: /^HPS: this machine is/m },
  { name: "network", ends: /hpsd answers/ },
];
const OUR_LAST = "enrolment, attaching";
const PEER_LAST = "kernel, unpacking the initramfs";

/** Seconds of each part, by name, in order. */
type Parts = ReadonlyMap<string, number>;

export interface Boots {
  readonly ours: readonly Parts[];
  readonly theirs: readonly Parts[];
}

/** By turns, each on a new machine. */
export async function timeBoots(rounds: number, rack: InstallRack, peer: HpsdRack, slots: Slots): Promise<Boots> {
  const boots = { ours: [] as Parts[], theirs: [] as Parts[] };
  for (let round = 0; round < rounds; round += 1) {
    const each = { name: `boot${round}`, mac: `52:54:00:0b:00:0${round}`, slots };
    boots.theirs.push(await bootOnce(peer, { ...each, parts: PEER_PARTS, last: PEER_LAST }));
    boots.ours.push(await bootOnce(rack, { ...each, parts: OUR_PARTS, last: OUR_LAST }));
  }
  return boots;
}

interface Boot {
  readonly name: string;
  readonly mac: string;
  readonly slots: Slots;
  readonly parts: typeof OUR_PARTS;
  readonly last: string;
}

async function bootOnce(rack: HpsdRack, { name, mac, slots, parts, last }: Boot): Promise<Parts> {
  await rack.hps.hosts.createHost({ host: { cluster: "lab", name, macs: [mac] } });
  const { id } = await rack.hps.hosts.armHost({ host: `lab/${name}`, rescue: true });
  const disks = [{ bus: "virtio", bytes: 24 * 1024 ** 3 }] as const;
  await using vm = await createVm({ rack: rack.rack, name, firmware: "bios", disks, nics: [{ mac }] }, slots);
  const times = new Map<string, number>();
  const limitMs = await limit(BOOT_SECONDS);
  await vm.powerOn();
  let began = performance.now();
  const ended = (part: string) => {
    const now = performance.now();
    times.set(part, (now - began) / 1000);
    began = now;
  };
  for (const { name: part, ends } of parts) {
    await vm.console.waitFor(ends, limitMs);
    ended(part);
  }
  await (last === PEER_LAST ? vm.console.waitFor(BUSYBOX_PROMPT, limitMs) : attached(rack, id, limitMs));
  ended(last);
  return times;
}

const sum = (parts: Parts) => [...parts.values()].reduce((all, one) => all + one, 0);

/** The whole way, and its parts; a part that the peer has too stands beside it. */
export function bootRows({ ours, theirs }: Boots): readonly Row[] {
  const name = "busybox shell";
  const whole = (runs: readonly Parts[]) => median(runs.map(sum));
  const part = (runs: readonly Parts[], which: string) => median(runs.map((run) => run.get(which) ?? Number.NaN));
  const value = whole(theirs);
  return [
    row("power-on to agent attached", whole(ours), "s", {
      peer: { name, value },
      budget: Number((2 * value).toPrecision(3)),
    }),
    ...[...(ours[0]?.keys() ?? [])].map((which) =>
      row(`of that: ${which}`, part(ours, which), "s", {
        ...(theirs[0]?.has(which) === true && { peer: { name, value: part(theirs, which) } }),
      }),
    ),
  ];
}
