import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import {
  formatInstallerSet,
  INSTALLER_FILES,
  INSTALLER_SET_FILE,
  type InstallerSet,
} from "../../../proto/config/installer-set.ts";
import { fileDigest } from "../../../proto/flow/file-digest.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { VERSION } from "../../../proto/values/program-version.ts";
import { type AgentPart, type AgentParts, agentFiles, agentParts, agentPrograms } from "./agent-files.ts";
import { AptRoot } from "./apt-root.ts";
import { baseSystem, driverFiles } from "./base-system.ts";
import { DebCache } from "./deb-cache.ts";
import { grubTools, localBootImage } from "./grub.ts";
import { type InitrdPart, writeInitrd } from "./initrd.ts";
import { type InstallerPackages, lockedPackages, newestPackages } from "./installer-packages.ts";
import { stageModules } from "./kernel-modules.ts";
import { checkAgent, formatLock, type InstallerLock, parseLock } from "./lock-file.ts";
import { librariesOf } from "./programs.ts";
import type { ProgramPlace } from "./run-program.ts";
import { copyTree, type StagedFile } from "./staged-file.ts";
import { toolFiles, writeSquashfs } from "./tools-image.ts";
import { type Unpacked, unpack } from "./unpacked.ts";

export interface InstallerOrder {
  /** Folder of the set; an older set in it is replaced. */
  readonly out: string;
  readonly kernel: string;
  readonly firmware: readonly string[];
  /** Text of a lock file: exactly its packages, and nothing newer. */
  readonly lock?: string;
  /** apt sources (deb822). */
  readonly sources: string;
  /** Kept between builds. */
  readonly cache: string;
  readonly place: ProgramPlace;
  readonly note: (line: string) => void;
}

interface Build extends InstallerOrder {
  readonly work: string;
  readonly set: string;
  readonly unpacked: Unpacked;
  readonly packages: InstallerPackages;
  readonly agent: AgentParts;
}

const LOCK_FILE = "lock.json";

/** Builds an installer set from Debian's packages: without root, the same bytes from the same lock. */
export async function buildInstaller(order: InstallerOrder): Promise<InstallerSet> {
  await checkOut(order.out);
  const lock = order.lock === undefined ? undefined : parseLock(order.lock);
  const work = await mkdtemp(join(tmpdir(), "hps-installer-"));
  try {
    const agent = await agentParts(lock?.built, { work, place: order.place });
    if (lock !== undefined) checkAgent(lock, digestsOf(agent.parts));
    const packages = await choosePackages(order, lock);
    order.note(`unpacking ${packages.packages.length} packages`);
    const unpacked = await unpackAll(order, packages, work);
    const set = join(work, "set");
    await mkdir(set);
    const build = { ...order, work, set, unpacked, packages, agent };
    await makeFiles(build);
    const made = await describe(build);
    await putInPlace(set, order.out);
    return made;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function choosePackages(order: InstallerOrder, lock: InstallerLock | undefined): Promise<InstallerPackages> {
  const { cache, sources, place, note, kernel, firmware } = order;
  let opened: Promise<AptRoot> | undefined;
  const apt = () => {
    // Lists are of their sources: another archive, or more of it, needs its own.
    const folder = join(cache, "apt", createHash("sha256").update(sources).digest("hex").slice(0, 16));
    opened ??= AptRoot.open({ folder, sources, place, note });
    return opened;
  };
  const packages = lock === undefined ? await newestPackages(await apt(), kernel, firmware) : lockedPackages(lock);
  await new DebCache(join(cache, "debs")).bring(packages.packages, async () => {
    note("fetching packages");
    const root = await apt();
    await root.update();
    return root;
  });
  return packages;
}

function unpackAll({ cache, place }: InstallerOrder, { packages }: InstallerPackages, work: string): Promise<Unpacked> {
  const debs = new DebCache(join(cache, "debs"));
  return unpack(
    packages.map((one) => ({ one, file: debs.path(one) })),
    join(work, "packages"),
    place,
  );
}

async function makeFiles(build: Build): Promise<void> {
  const { set, unpacked, packages, note, work, place } = build;
  const kernelRoot = unpacked.root(packages.kernel);
  const version = await stageModules(kernelRoot, { unpacked, into: join(work, "modules"), place });
  note(`kernel ${version}`);
  await copyFile(join(kernelRoot, "boot", `vmlinuz-${version}`), join(set, "kernel"));
  await writeInstaller(build);
  await writeFirmware(build);
  note("the tools image");
  const tools = [
    ...toolFiles(unpacked, [...librariesOf(agentPrograms(), unpacked).keys()]),
    ...(await grubTools(build)),
  ];
  await writeSquashfs(join(set, "tools.squashfs"), tools, build);
  await localBootImage(join(set, "grub.efi"), build);
  for (const name of ["ipxe.efi", "undionly.kpxe"])
    await copyFile(unpacked.need(`usr/lib/ipxe/${name}`), join(set, name));
}

async function writeInstaller(build: Build): Promise<void> {
  const { set, work, cache, agent, note } = build;
  note("the installer's own system");
  const [node, ...rest] = agentFiles(agent.parts);
  const parts: readonly InitrdPart[] = [
    { name: "base", files: await baseSystem(agentPrograms(), build), level: 17 },
    { name: "drivers", files: driverFiles(join(work, "modules")), level: 12 },
    { name: "node", files: node === undefined ? [] : [node], level: 17 },
    { name: "agent", files: rest, level: 17 },
  ];
  await writeInitrd(join(set, "initrd.img"), parts, { ...build, cache: join(cache, "parts") });
}

async function writeFirmware(build: Build): Promise<void> {
  const { set, cache, packages, unpacked } = build;
  if (packages.firmware.length === 0) return;
  build.note("firmware");
  const files = packages.firmware.flatMap((name) => firmwareOf(name, unpacked));
  await writeInitrd(join(set, "firmware.img"), [{ name: "firmware", files, level: 12 }], {
    ...build,
    cache: join(cache, "parts"),
  });
}

function firmwareOf(name: string, unpacked: Unpacked): readonly StagedFile[] {
  const folders = ["lib/firmware", "usr/lib/firmware"].map((path) => join(unpacked.root(name), path));
  const files = folders.filter((path) => existsSync(path)).flatMap((path) => copyTree("lib/firmware", path));
  if (files.length > 0) return files;
  throw new HpsError("invalid", `the package ${name} holds no firmware`, {
    hint: "name Debian packages such as firmware-bnx2",
  });
}

/** Writes what says what the set is and what it was made of. */
async function describe({ set, agent, packages, unpacked }: Build): Promise<InstallerSet> {
  const present = new Set(await readdir(set));
  const files = [];
  for (const name of INSTALLER_FILES.filter((one) => present.has(one))) {
    const path = join(set, name);
    files.push({ name, size: (await stat(path)).size, sha256: await fileDigest(path) });
  }
  const made: InstallerSet = { format: 1, version: VERSION, files };
  const { kernel, firmware } = packages;
  const used = unpacked.used.map(({ name, version, architecture, sha256 }) => ({
    name,
    version,
    architecture,
    sha256,
  }));
  const lock: InstallerLock = {
    format: 1,
    kernel,
    firmware: [...firmware],
    packages: used,
    agent: digestsOf(agent.parts),
    ...(agent.built !== undefined && { built: agent.built }),
  };
  await writeFile(join(set, LOCK_FILE), formatLock(lock));
  await writeFile(join(set, INSTALLER_SET_FILE), formatInstallerSet(made));
  return made;
}

function digestsOf(agent: readonly AgentPart[]): Record<string, string> {
  return Object.fromEntries(agent.map(({ name, sha256 }) => [name, sha256]));
}

async function checkOut(out: string): Promise<void> {
  const names: readonly string[] = await readdir(out).catch(() => []);
  if (names.length > 0 && !names.includes(INSTALLER_SET_FILE)) {
    throw new HpsError("exists", `${out} holds something that is no installer set`, {
      hint: "name a new or empty folder",
    });
  }
}

/** The new set whole or the old one. */
async function putInPlace(set: string, out: string): Promise<void> {
  const target = resolve(out);
  const beside = (what: string) =>
    join(dirname(target), `.${basename(target)}.${what}-${randomBytes(4).toString("hex")}`);
  const [fresh, old] = [beside("new"), beside("old")];
  await mkdir(fresh, { recursive: true });
  for (const name of await readdir(set)) await writeFile(join(fresh, name), await readFile(join(set, name)));
  await rename(target, old).catch(() => undefined);
  await rename(fresh, target);
  await rm(old, { recursive: true, force: true });
}
