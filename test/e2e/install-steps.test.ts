import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ImageFiles } from "../../installer-agent/image/image-source.ts";
import type { ImageProof } from "../../installer-agent/install/image-trust.ts";
import type { InstallOrder, PacksOrder } from "../../installer-agent/install/install-order.ts";
import { imageOfTree } from "../../installer-agent/testing/image-of-tree.ts";
import { ORDER } from "../../installer-agent/testing/orders.ts";
import { noise } from "../../installer-agent/testing/unpack-rig.ts";
import { testKey, testKeySet, testSignature } from "../../proto/image/testing/test-keys.ts";
import { dataSegments } from "../../proto/tree/native/files.ts";
import { espVolumeId, fileSystemId, partitionId } from "../../proto/values/layout-ids.ts";
import { parseUuid, type Uuid } from "../../proto/values/uuid.ts";
import { installerSet } from "../lab/artifacts.ts";
import { labFolder } from "../lab/janitor.ts";
import { createRack } from "../lab/rack.ts";
import { fileRef, writeStepsInitrd } from "../lab/steps-guest/prepare.ts";
import { reinstallation, type Said } from "../lab/steps-guest/reinstallation.ts";
import type { GuestTask } from "../lab/steps-guest/tasks.ts";
import { limit } from "../lab/vm/calibrate.ts";
import { createVm } from "../lab/vm/vm.ts";

const GIB = 1024 ** 3;
const THIS = parseUuid("01890a5d-ac96-774b-bcce-b302099a8057");
const OLDER = parseUuid("01890a5d-ac96-774b-bcce-b302099a8058");
const THIRD = parseUuid("01890a5d-ac96-774b-bcce-b302099a8059");
const ANOTHER = parseUuid("01890a5d-ac96-774b-bcce-b302099a805a");
const KEYED = parseUuid("01890a5d-ac96-774b-bcce-b302099a805b");
const LATER = parseUuid("01890a5d-ac96-774b-bcce-b302099a805c");
const STRANGE = `data "1'`;

let folder = "";
beforeAll(async () => {
  folder = await labFolder();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Of all that is not zero, and where: which zeros are holes is the host's own affair. */
function sumOf(file: string): string {
  const fd = openSync(file, "r");
  const hash = createHash("sha256");
  const block = Buffer.alloc(65_536);
  const zeros = Buffer.alloc(block.length);
  let next = 0;
  for (const { offset, size } of dataSegments(fd, fstatSync(fd).size)) {
    const first = Math.max(next, offset - (offset % block.length));
    for (next = first; next < offset + size; next += block.length) {
      const read = block.subarray(0, readSync(fd, block, 0, block.length, next));
      if (!read.equals(zeros.subarray(0, read.length))) hash.update(`${next} `).update(read);
    }
  }
  closeSync(fd);
  return hash.digest("hex");
}

/** A small tree with a kernel, as an archive in two compressions. */
function makeImages(): { readonly zst: Buffer; readonly xz: Buffer } {
  const tree = join(folder, "tree");
  for (const name of ["boot", "etc", "usr/bin", "var/lib"]) mkdirSync(join(tree, name), { recursive: true });
  writeFileSync(join(tree, "boot/vmlinuz-1"), "a kernel");
  writeFileSync(join(tree, "etc/fstab"), "the image's own");
  writeFileSync(join(tree, "usr/bin/tool"), "a tool", { mode: 0o4755 });
  const script = 'cd "$0" && tar -cf tar -C tree . && zstd -q -k tar -o zst && xz -k -c tar > xz';
  execFileSync("sh", ["-c", script, folder], { timeout: 60_000 });
  return { zst: readFileSync(join(folder, "zst")), xz: readFileSync(join(folder, "xz")) };
}

/** The same tree in packs, and with a file more than fits into one: as they are, and with a byte of the last pack altered. */
async function makePacks() {
  const tree = join(folder, "tree");
  writeFileSync(join(tree, "usr/bin/large"), noise(9_000_000, "large"));
  const { files, contents } = await imageOfTree(tree, { framesAPack: 1 });
  const last = files.packs.at(-1)?.digest ?? "";
  const altered = Buffer.from(contents.get(last) ?? "");
  altered[2000] = 255 - (altered[2000] ?? 0);
  const named = [...contents].map(([digest, bytes]) => ({ name: digest, bytes }));
  const packs = files.packs.map((pack) => (pack.digest === last ? { ...pack, digest: fileRef(altered).digest } : pack));
  return {
    files,
    named: [...named, { name: fileRef(altered).digest, bytes: altered }],
    altered: { ...files, packs },
    gone: { ...files, packs: files.packs.map((pack) => ({ ...pack, digest: "0".repeat(64) })) },
  };
}

/** A disk with a file system that no table announces, and one with a table that lies about everything. */
function makeDisks() {
  const [small, data, liar] = ["small", "data", "liar"].map((name) => join(folder, name)) as [string, string, string];
  for (const [file, bytes] of [
    [small, 2 * GIB],
    [data, 6 * GIB],
    [liar, 6 * GIB],
  ] as const) {
    writeFileSync(file, "");
    truncateSync(file, bytes);
  }
  execFileSync("mkfs.ext4", ["-q", "-F", "-L", "old data", data], { timeout: 60_000 });
  execFileSync("sfdisk", ["--quiet", liar], { input: 'label: gpt\nname="hps root-a"\n', timeout: 60_000 });
  return { small, data, liar };
}

test("the steps storage and image, on real disks in a guest", { timeout: 900_000 }, async () => {
  const installer = await installerSet();
  const tools = readFileSync(join(installer, "tools.squashfs"));
  const { zst, xz } = makeImages();
  const cut = zst.subarray(0, -10);
  const { small, data, liar } = makeDisks();
  const order = (serial: string | undefined, changes: Partial<InstallOrder> = {}): InstallOrder => ({
    ...ORDER,
    installation: THIS,
    image: { ...ORDER.image, file: fileRef(zst) },
    storage: { disk: serial === undefined ? {} : { serial }, rootBytes: GIB, wipe: false, wipeSerials: [] },
    ...changes,
  });
  const archive = (file: Buffer, format: "tar.zst" | "tar.xz") => ({
    image: { ...ORDER.image, file: fileRef(file), format },
  });
  const packs = await makePacks();
  const inPacks = (files: ImageFiles) => {
    const { file: _, format: __, ...facts } = ORDER.image;
    return order("one", { image: { ...facts, format: "packs", files } });
  };
  const again = await reinstallation(folder, (installation, files) => ({
    ...inPacks(files),
    installation,
    storage: { ...order("liar").storage, wipe: true },
  }));
  const both = ["storage", "image"] as const;
  const stopped = (stopAt: string): GuestTask => ({ name: stopAt, order: order("one"), steps: ["storage"], stopAt });
  const tasks: readonly GuestTask[] = [
    { name: "ambiguous", order: order(undefined), steps: both },
    { name: "too small", order: order("small"), steps: both },
    { name: "holds data", order: order(STRANGE), steps: both },
    { name: "holds a table", order: order("liar"), steps: both },
    { name: "no kernel", order: order("one", { image: { ...ORDER.image, lacks: ["kernel"] } }), steps: both },
    { name: "older", order: order("two", { installation: OLDER }), steps: both, close: true },
    stopped("$ wipefs --all"),
    stopped("$ sfdisk"),
    stopped("Created a new partition 4"),
    stopped("$ mkfs.vfat"),
    { name: "cut", order: order("one", archive(cut, "tar.zst")), steps: both, show: ["etc/fstab"] },
    { name: "whole", order: order("one"), steps: ["image"], show: ["usr/bin/tool"] },
    { name: "altered pack", order: inPacks(packs.altered), steps: ["image"], show: ["usr/bin/tool"] },
    { name: "packs", order: inPacks(packs.files), steps: ["image"], show: ["usr/bin/tool", "etc/fstab", "boot"] },
    { name: "packs again", order: inPacks(packs.files), steps: ["image"], show: ["usr/bin/tool"] },
    { name: "packs gone", order: inPacks(packs.gone), steps: ["image"] },
    { name: "again", order: order("one", archive(xz, "tar.xz")), steps: ["image"], show: SHOWN, close: true },
    { name: "another", order: order("one", { installation: ANOTHER }), steps: ["storage"] },
    {
      name: "wiped",
      order: order("liar", { installation: THIRD, storage: { ...order("liar").storage, wipeSerials: ["liar"] } }),
      steps: ["storage"],
    },
    {
      name: "a second disk",
      order: order(STRANGE, { storage: { ...order(STRANGE).storage, wipe: true } }),
      steps: ["storage"],
    },
    ...again.tasks,
    ...keyTasks((installation, proof) => ({
      ...order("liar", { installation, storage: { ...order("liar").storage, wipeSerials: ["liar"] } }),
      image: signedImage(proof),
    })),
  ];
  const initrd = join(folder, "initrd");
  const ask = [["blkid"]];
  await writeStepsInitrd(initrd, {
    installer,
    plan: { tools: fileRef(tools), tasks, ask },
    files: [tools, zst, xz, cut],
    named: [...packs.named, ...again.named],
  });
  const before = [small, data].map(sumOf);
  await using rack = await createRack();
  await using vm = await createVm({
    ...{ rack, firmware: "bios", name: "steps", memory: 1024 },
    kernel: { kernel: join(installer, "kernel"), initrd, append: "console=ttyS0 quiet" },
    disks: [
      { bus: "virtio", bytes: 6 * GIB, serial: "one" },
      { bus: "nvme", bytes: 6 * GIB, serial: "two", sector: 4096 },
      { bus: "sata", file: small, serial: "small" },
      { bus: "sata", file: data, serial: STRANGE },
      { bus: "scsi", file: liar, serial: "liar", sector: 4096 },
    ],
  });
  await vm.powerOn();
  await vm.console.waitFor(/STEPS \{"over":true\}|agent crashed/, await limit(100));
  const said = resultsOf(vm.console.text());
  await vm.cutPower();

  expect(said("ambiguous").error).toMatch(/this machine has 5 fixed disks: .*serial "one", virtio.*--disk serial=/);
  expect(said("too small").error).toMatch(/it has 2 GiB .* 5\.5 GiB \(5908725760 bytes\) are needed/);
  expect(said("holds data").error).toContain('holds data: ext4 named "old data"; nothing was written to it');
  expect(said("holds data").error).toContain(`--wipe-disk 'data "1'\\'''`);
  expect(said("holds a table").error).toContain("holds data: ");
  expect(said("no kernel").error).toContain("it lacks kernel");
  for (const name of ["older", "whole", "packs", "packs again", "again", "wiped"])
    expect(said(name)).not.toHaveProperty("error");
  for (const name of tasks.filter(({ stopAt }) => stopAt).map(({ name }) => name))
    expect(said(name).error).toMatch(/stopped here$/);
  expect(said("cut").error).toMatch(/zstd|ends/);
  expect(said("whole").files).toEqual({ "usr/bin/tool": "104755 0:0 a tool" });
  expect(said("altered pack").error).toMatch(
    /^pack .* of the image debian:12: the pack is damaged at byte [1-9]\d*: .* object 0 /,
  );
  const logs = (name: string) => logOf(vm.console.text(), name);
  expect(said("packs").files).toEqual({
    "usr/bin/tool": "104755 0:0 a tool",
    "etc/fstab": expect.stringContaining(`UUID=${fileSystemId(THIS, "root-a")} / ext4`),
    boot: expect.stringMatching(/\[efi lost\+found vmlinuz-1\]/),
  });
  expect(logs("packs")).toMatch(/this image was begun before.*debian:12: \d+ entries, .* was there already/s);
  expect(logs("packs")).not.toContain("mkfs");
  expect(logs("packs again")).toContain("mkfs");
  expect(said("packs again").files).toEqual({ "usr/bin/tool": "104755 0:0 a tool" });
  expect(said("packs gone").error).toMatch(/^the image debian:12: there is nothing at this address/);
  expect(logs("packs gone").match(/asking hpsd where the image is now/g)).toHaveLength(2);
  expect(said("again").files).toMatchObject({
    "etc/fstab": expect.stringContaining(`UUID=${fileSystemId(THIS, "root-a")} / ext4`),
    boot: expect.stringMatching(/\[efi lost\+found vmlinuz-1\]/),
    "boot/efi": expect.stringContaining("40700 0:0 []"),
    "var/lib/hps": expect.stringContaining("[lost+found]"),
  });
  expect(said("a second disk").error).toMatch(/would both bear this installation/);
  expect(said("another").error).toMatch(/holds data: a partition table \(gpt\)/);
  expect(said("first keys")).not.toHaveProperty("error");
  expect(said("other keys").error).toMatch(/this disk believes other keys: key set 2 .* bears no signature/);
  expect(said("no keys").error).toMatch(/this disk believes other keys: hpsd names no keys/);
  expect(said("next keys")).not.toHaveProperty("error");
  expect(said("older keys").error).toMatch(/hpsd names the older key set 1, but key set 2 .* is kept/);
  again.expectAll(said, logs);
  const table = vm.console.text();
  for (const installation of [THIS, OLDER]) {
    expect(table).toContain(espVolumeId(installation));
    for (const role of ["root-a", "boot-a", "state"] as const) {
      expect(table).toContain(partitionId(installation, role));
      expect(table).toContain(fileSystemId(installation, role));
    }
  }
  expect([small, data].map(sumOf)).toEqual(before);
});

const [ONE, TWO] = [testKey(1), testKey(2)];
const FIRST = testKeySet(1, [ONE], { cluster: "c1" });
const NEXT = testKeySet(2, [TWO], { cluster: "c1", by: ONE });

function signedImage(proof: ImageProof): PacksOrder {
  const { name, contentBytes, entries, lacks } = ORDER.image;
  const manifest = { digest: "a".repeat(64), sizeBytes: 1 };
  const files = { tree: { contentBytes, entries }, manifest, packs: [], deltas: [], baseUrls: [] };
  return { name, contentBytes, entries, lacks, format: "packs", files, proof };
}

/** One disk, installed again and again: it keeps the keys of the first time, whoever may wipe it. */
function keyTasks(orderOf: (installation: Uuid, proof: ImageProof) => InstallOrder): GuestTask[] {
  const by = (key: typeof ONE, ...keySets: ImageProof["keySets"]): ImageProof => ({
    ...{ signatures: [testSignature(key, { cluster: "c1" })], keySets },
  });
  const unsigned = testKeySet(2, [TWO], { cluster: "c1" });
  return [
    { name: "first keys", order: orderOf(KEYED, by(ONE, FIRST)), steps: ["storage"] },
    { name: "other keys", order: orderOf(LATER, by(TWO, FIRST, unsigned)), steps: ["storage"] },
    { name: "no keys", order: orderOf(LATER, { signatures: [], keySets: [] }), steps: ["storage"] },
    { name: "next keys", order: orderOf(LATER, by(TWO, FIRST, NEXT)), steps: ["storage"] },
    { name: "older keys", order: orderOf(LATER, by(ONE, FIRST)), steps: ["image"] },
  ];
}

const SHOWN = ["etc/fstab", "boot", "boot/efi", "var/lib/hps"];

interface Result extends Said {
  readonly files?: Readonly<Record<string, string>>;
}

/** All lines that a task logged. */
function logOf(text: string, name: string): string {
  const lines = text.split("\n").flatMap((line) => /^STEPS (\{"task".*\})\r?$/.exec(line)?.[1] ?? []);
  return lines
    .map((line) => JSON.parse(line))
    .filter(({ task }) => task === name)
    .map(({ log }) => log)
    .join("\n");
}

/** What the guest said of a task's end. */
function resultsOf(text: string): (name: string) => Result {
  const lines = text.split("\n").flatMap((line) => /^STEPS (\{"done".*\})\r?$/.exec(line)?.[1] ?? []);
  const results = new Map(lines.map((line) => [JSON.parse(line).done, JSON.parse(line)]));
  return (name) => results.get(name) ?? { error: `the guest did not say how "${name}" ended: ${text.slice(-3000)}` };
}
