/** What it takes to make an empty machine a host: sizes, time, memory. Needs root, and what the lab needs. */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Image } from "../../proto/gen/hps/v1/image_pb.ts";
import { installerSet } from "../lab/artifacts.ts";
import { importBusyboxInstaller } from "../lab/busybox-installer.ts";
import { startHpsdRack } from "../lab/hpsd-rack.ts";
import { startInstallRack } from "../lab/install-rack.ts";
import { reserveGuests } from "../lab/vm/slots.ts";
import { bootRows, timeBoots } from "./install-boot.ts";
import { type Run, timeInstallation } from "./install-run.ts";
import { sizeRows } from "./install-sizes.ts";
import { median } from "./quantiles.ts";
import { type Measured, type Row, row } from "./row.ts";

const BOOTS = 3;
const PEER_ROUNDS = 3;
const MEGABYTE = 1_000_000;
const MEBI_IN_KB = 1024;

export async function install(): Promise<Measured> {
  const set = await installerSet(); // built, when it has to be, before a guest's place is taken
  await using slots = await reserveGuests(1);
  await using rack = await startInstallRack();
  await using peer = await startHpsdRack({ machines: [] });
  await importBusyboxInstaller(peer, set);
  const boots = await timeBoots(BOOTS, rack, peer, slots);
  const run = await timeInstallation(rack, slots, PEER_ROUNDS);
  const image = await rack.hps.images.getImage({ cluster: "lab", name: rack.image });
  return {
    rows: [...sizeRows(set), ...fetchRows(run, image), ...bootRows(boots), ...stepRows(run, image), ...memoryRows(run)],
    notes: NOTES,
  };
}

const NOTES = [
  `One machine at a time, with a BIOS, 2 processors, 1 GiB, a virtio disk and card, emulated unless KVM works. Power-on: medians of ${BOOTS} machines by turns with their peer, which is the same kernel, served and booted the same way, with a busybox and its shell as initramfs; it waits for its prompt on the serial console, ours until hpsd says that the agent is attached.`,
  `Steps: one installation of the lab's Debian for virtual machines, times by hpsd's journal. The peer of step image ran ${PEER_ROUNDS} times (median) in the same machine when the steps were done: mkfs.ext4, the same file from the same hpsd with the agent's certificate, unpacked to the empty root file system of slot b, sync; it compares no digest and no server certificate.`,
  "Memory: peak resident memory of the agent's process, and the least MemAvailable seen twice a second, from the first attach until all steps were done.",
];

function contentOf({ source }: Image) {
  return { file: Number(source?.file?.sizeBytes), content: Number(source?.contentBytes) };
}

function fetchRows({ wireBytes }: Run, image: Image): readonly Row[] {
  const { file, content } = contentOf(image);
  return [
    row("image imported", file / MEGABYTE, "MB"),
    row("its files, unpacked", content / MEGABYTE, "MB"),
    row("sent to the machine in all, on the wire", wireBytes / MEGABYTE, "MB"),
  ];
}

function stepRows(run: Run, image: Image): readonly Row[] {
  const { file, content } = contentOf(image);
  const timed = run.installation.steps.map(({ name, startTime, endTime }) => ({
    name,
    seconds: startTime && endTime ? (timestampMs(endTime) - timestampMs(startTime)) / 1000 : Number.NaN,
  }));
  const imageSeconds = timed.find(({ name }) => name === "image")?.seconds ?? Number.NaN;
  const value = median(run.peer);
  const peer = { name: "curl, zstd -d, tar -x", value };
  const rate = (bytes: number) => bytes / MEGABYTE;
  return [
    ...timed.map(({ name, seconds }) =>
      row(`step ${name}`, seconds, "s", {
        ...(name === "image" && { peer, budget: Number((0.8 * value).toPrecision(3)) }),
      }),
    ),
    row("step image: fetched", rate(file) / imageSeconds, "MB/s", { peer: { ...peer, value: rate(file) / value } }),
    row("step image: written", rate(content) / imageSeconds, "MB/s", {
      peer: { ...peer, value: rate(content) / value },
    }),
    row("power-on to the end of the steps", run.stepsSeconds, "s"),
    row("restart to the installed system attached", run.restartSeconds, "s"),
  ];
}

function memoryRows({ memory }: Run): readonly Row[] {
  return [
    row("agent's memory at its peak", memory.agentPeak / MEBI_IN_KB, "MiB", { budget: 256 }),
    row("machine's memory, as Linux has it", memory.total / MEBI_IN_KB, "MiB"),
    row("least of it free", memory.leastFree / MEBI_IN_KB, "MiB"),
  ];
}
