import { execFileSync } from "node:child_process";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { espOf, writeBiosLoader, writeEspFiles } from "../../installer-agent/install/boot-loader.ts";
import { type BootEnvironment, encodeBootEnvironment } from "../../installer-agent/plan/boot-environment.ts";
import { grubWord } from "../../installer-agent/plan/grub-word.ts";
import { GRUB_IMAGES } from "../../proto/config/grub-images.ts";
import { fileSystemId } from "../../proto/values/layout-ids.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { labFolder } from "../lab/janitor.ts";
import { createRack } from "../lab/rack.ts";
import { must } from "../lab/run.ts";
import { limit } from "../lab/vm/calibrate.ts";
import { createVm, type Vm } from "../lab/vm/vm.ts";

/*
 * GRUB as the step `bootloader` puts it on a disk, under real firmware, with slots that say that they were started instead
 * of starting Linux: what it does with the environment, and with slots that are broken.
 */

const installation = parseUuid("01890a5d-ac96-774b-bcce-b302099a8057");
const MIB = 1024 ** 2;
/** Start and size in MiB; the first is the ESP, as on every disk of HPS. */
const PARTS = { esp: [1, 64], bios: [65, 1], "boot-a": [66, 8], "boot-b": [74, 8] } as const;
const TYPES = { esp: "uefi", bios: "21686148-6449-6E6F-744E-656564454649", "boot-a": "linux", "boot-b": "linux" };
const BOOT_SECONDS = 60;

let images = "";
beforeAll(async () => {
  images = await labFolder();
  for (const { file, format, prefix, modules } of GRUB_IMAGES) {
    await must(["grub-mkimage", "-O", format, "-p", prefix, "-o", join(images, file), ...modules]);
  }
  await writeFile(join(images, "boot.img"), await readFile("/usr/lib/grub/i386-pc/boot.img"));
});

/** `slot.cfg` of a slot that says which it is. */
const marker = (slot: string) => `set hps_loaded=yes\necho "MARK slot ${slot} starts"\nsleep 600\n`;

interface Slots {
  /** slot.cfg; undefined: none. */
  readonly a?: string;
  readonly b?: string;
}

/** A disk as after an installation, but for the slots; its file. */
async function makeDisk({ a, b }: Slots): Promise<string> {
  const folder = await labFolder();
  const disk = join(folder, "disk");
  await writeFile(disk, "");
  await must(["truncate", "-s", `${84 * MIB}`, disk]);
  const lines = Object.entries(PARTS).map(
    ([role, [start, size]]) => `start=${start}MiB, size=${size}MiB, type=${TYPES[role as keyof typeof TYPES]}`,
  );
  execFileSync("sfdisk", ["-q", disk], { input: ["label: gpt", ...lines, ""].join("\n"), timeout: 10_000 });
  await put(disk, "esp", await espFile(folder));
  await put(disk, "boot-a", await bootFile(folder, "boot-a", a));
  await put(disk, "boot-b", await bootFile(folder, "boot-b", b));
  const partition = join(folder, "bios");
  await writeFile(partition, Buffer.alloc(MIB));
  const place = { number: 2, startBytes: PARTS.bios[0] * MIB, bytes: MIB };
  await writeBiosLoader({ images, disk, partition, place, sectorBytes: 512 });
  await put(disk, "bios", partition);
  return disk;
}

async function put(disk: string, role: keyof typeof PARTS, file: string): Promise<void> {
  await using handle = await open(disk, "r+");
  const content = await readFile(file);
  await handle.write(content, 0, content.length, PARTS[role][0] * MIB);
}

async function espFile(folder: string): Promise<string> {
  const esp = espOf(join(folder, "tree"));
  await must(["mkdir", "-p", esp.path]);
  const loader = await readFile(join(images, "grubx64.efi"));
  await writeEspFiles(esp, { installation, commandLine: "console=ttyS0,115200", loader });
  const file = join(folder, "esp");
  await writeFile(file, Buffer.alloc(PARTS.esp[1] * MIB));
  await must(["mkfs.vfat", "-F", "32", file]);
  await must(["mcopy", "-i", file, "-s", join(esp.path, "hps"), join(esp.path, "EFI"), "::/"]);
  return file;
}

async function bootFile(folder: string, role: "boot-a" | "boot-b", config: string | undefined): Promise<string> {
  const tree = join(folder, `${role}-tree`);
  await must(["mkdir", "-p", tree]);
  if (config !== undefined) await writeFile(join(tree, "slot.cfg"), config);
  const file = join(folder, role);
  await writeFile(file, Buffer.alloc(PARTS[role][1] * MIB));
  await must(["mkfs.ext4", "-q", "-U", fileSystemId(installation, role), "-d", tree, file]);
  return file;
}

const onEsp = (disk: string) => `${disk}@@${PARTS.esp[0]}M`;

/** Writes the copies of the environment; what is no environment is written as it is. */
async function setEnvironment(disk: string, one: BootEnvironment | string, two = one): Promise<void> {
  for (const [name, value] of [["env.1", one] as const, ["env.2", two] as const]) {
    const bytes = typeof value === "string" ? Buffer.from(value.padEnd(1024)) : encodeBootEnvironment(value);
    execFileSync("mcopy", ["-o", "-i", onEsp(disk), "-", `::/hps/${name}`], { input: bytes, timeout: 10_000 });
  }
}

/** Boots once and gives GRUB's lines up to the one that is the last. */
async function boot(vm: Vm): Promise<string> {
  const from = await vm.powerOn();
  await vm.console.waitFor(/MARK [^\n]*starts|next\s+device/, await limit(BOOT_SECONDS), from);
  await vm.cutPower();
  return vm.console.text().slice(from).replaceAll(/\s+/g, " ");
}

async function machine(firmware: "bios" | "uefi", file: string) {
  const rack = await createRack();
  const vm = await createVm({ rack, firmware, memory: 512, bootOrder: "disk-first", disks: [{ bus: "virtio", file }] });
  return {
    vm,
    async [Symbol.asyncDispose]() {
      await vm[Symbol.asyncDispose]();
      await rack[Symbol.asyncDispose]();
    },
  };
}

describe.each(["bios", "uefi"] as const)("GRUB under %s", (firmware) => {
  test("starts the slot, tries another once, and never an unfinished one", { timeout: 900_000 }, async () => {
    const disk = await makeDisk({ a: marker("a"), b: marker("b") });
    await using place = await machine(firmware, disk);
    const { vm } = place;
    expect(await boot(vm)).toContain("the installation of this disk was not finished");
    await setEnvironment(disk, { slot: "a" });
    expect(await boot(vm)).toContain("MARK slot a starts");
    await setEnvironment(disk, { slot: "a", trial: { slot: "b", left: true } });
    expect(await boot(vm)).toContain("MARK slot b starts");
    const again = await boot(vm);
    expect(again).toContain("MARK slot a starts");
    expect(again).not.toContain("starting slot b");
  });
});

test("a slot that is broken is named, and the other one is tried", { timeout: 900_000 }, async () => {
  const bootOnce = async (file: string) => {
    await using place = await machine("bios", file);
    return await boot(place.vm);
  };
  const unloaded = "if linux '/no-such-kernel'; then set hps_loaded=yes; fi\n";
  const disk = await makeDisk({ a: unloaded, b: marker("b") });
  await setEnvironment(disk, { slot: "a" });
  const text = await bootOnce(disk);
  expect(text).toContain("HPS: slot a is broken: its kernel does not load");
  expect(text).toContain("MARK slot b starts");
  const bare = await makeDisk({});
  await setEnvironment(bare, { slot: "b" });
  const none = await bootOnce(bare);
  expect(none).toContain("HPS: slot b is broken: its boot partition has no slot.cfg");
  expect(none).toContain("HPS: slot a is broken: its boot partition has no slot.cfg");
});

test("a copy of the environment that cannot be read is no matter; two are said", { timeout: 900_000 }, async () => {
  const disk = await makeDisk({ a: marker("a"), b: marker("b") });
  await setEnvironment(disk, "torn", { slot: "b" });
  await using place = await machine("bios", disk);
  expect(await boot(place.vm)).toContain("MARK slot b starts");
  await setEnvironment(disk, "torn");
  expect(await boot(place.vm)).toContain("HPS: the boot environment of this disk cannot be read");
});

test("GRUB gets every word of slot.cfg as it was meant", { timeout: 900_000 }, async () => {
  const random = () => String.fromCharCode(0x21 + Math.floor(Math.random() * 0x5e));
  const words = Array.from({ length: 60 }, () => Array.from({ length: 12 }, random).join(""));
  for (const special of ["''", "\\'", "$root", "$(x)", "a;b", "{a}", '"', "#x", "*", "\\\\", "a  b", "&&"])
    words.push(special);
  const lines = words.map((word, at) => `echo ${grubWord(`w${at}:${word}:`)}\n`);
  const disk = await makeDisk({ a: [...lines, marker("a")].join("") });
  await setEnvironment(disk, { slot: "a" });
  await using place = await machine("bios", disk);
  const from = place.vm.console.mark();
  await boot(place.vm);
  const text = place.vm.console.text().slice(from);
  for (const [at, word] of words.entries()) expect(text).toContain(`w${at}:${word}:`);
});
