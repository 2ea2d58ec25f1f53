import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { HpsError } from "../../proto/values/hps-error.ts";
import { lockFile } from "./file-lock.ts";
import { type Program, startProgram } from "./program.ts";
import { CACHE } from "./vm/boot-files.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const HPSCTL = [process.execPath, join(ROOT, "client/main.ts")];
/** A build of nothing that is at hand takes minutes; two others may be before us. */
const PATIENCE_MS = 40 * 60_000;
/** hpsctl gives what it runs a minute to clean up. */
const END_MS = 75_000;
/** Of each kind so many are kept: the tests of a few branches. */
const KEPT = 6;

/** Words of an image for any machine. Nobody reads manual pages in a lab. */
export const GENERIC: readonly string[] = ["--slim"];
/** With Debian's kernel for virtual machines: a quarter of the modules, but no driver of e1000 or AHCI. */
export const VIRTUAL: readonly string[] = ["--kernel", "linux-image-cloud-amd64", ...GENERIC];

export interface ArtifactOptions {
  /** Hears what a build prints; nothing when nothing has to be built. */
  readonly onOutput?: (text: string) => void;
}

export interface ImageOptions extends ArtifactOptions {
  /** Further words for `hpsctl image build`. */
  readonly words?: readonly string[];
}

interface InstallerOptions extends ArtifactOptions {
  /** Packages of firmware. */
  readonly firmware?: readonly string[];
}

/** The folder of an installer set of these sources, built by `hpsctl installer-image build` unless it was before. */
export async function installerSet({ firmware = [], ...options }: InstallerOptions = {}): Promise<string> {
  const more = firmware.flatMap((name) => ["--firmware", name]);
  const digest = await digestOf(["installer-agent", "client/build", "proto", "certs", "package-lock.json"], more);
  const build = ["installer-image", "build", ...more, "--out"];
  return await artifact({ ...options, kind: "installer", digest, suffix: "", words: build });
}

/** The file of a plain Debian image, built by `hpsctl image build` unless it was before. */
export async function debianImage({ words = [], ...options }: ImageOptions = {}): Promise<string> {
  const digest = await digestOf(["client/build"], words, /\/os-image|\/overlay/);
  const build = ["image", "build", "debian/lab:1", ...words, "--out"];
  return await artifact({ ...options, kind: "image", digest, suffix: ".tar.zst", words: build });
}

interface Artifact extends ArtifactOptions {
  readonly kind: string;
  readonly digest: string;
  readonly suffix: string;
  /** Of hpsctl; the path to make comes behind. */
  readonly words: readonly string[];
}

async function artifact({ kind, digest, suffix, words, onOutput }: Artifact): Promise<string> {
  await mkdir(CACHE, { recursive: true });
  await using _lock = await lockFile(join(CACHE, `${kind}.lock`), PATIENCE_MS);
  const path = join(CACHE, `${kind}-${digest}${suffix}`);
  if (!existsSync(path)) {
    const part = join(CACHE, `.${kind}-${process.pid}${suffix}`);
    try {
      await build([...words, part], onOutput);
      await rename(part, path);
    } finally {
      await rm(part, { recursive: true, force: true });
    }
  }
  const now = new Date();
  await utimes(path, now, now);
  await prune(kind);
  return path;
}

const building = new Set<Program>();

/**
 * Interrupts the builds of this process and waits until they are gone. hpsctl then ends what it runs: killed instead, it would leave that
 * running, in a group of its own.
 */
export async function endBuilds(): Promise<void> {
  await Promise.all([...building].map((program) => program.stop("SIGTERM", END_MS)));
}

async function build(words: readonly string[], onOutput: ArtifactOptions["onOutput"]): Promise<void> {
  const program = await startProgram({ argv: [...HPSCTL, ...words], ...(onOutput === undefined ? {} : { onOutput }) });
  building.add(program);
  const code = await program.ended;
  building.delete(program);
  if (code !== 0) throw new HpsError("internal", `hpsctl ${words.join(" ")}: exit ${code}:\n${program.output()}`);
}

/** Keeps the newest of a kind, and removes what a build that was killed left; what another test still uses is among the newest. */
async function prune(kind: string): Promise<void> {
  const all = await readdir(CACHE);
  for (const name of all.filter((one) => one.startsWith(`.${kind}-`))) {
    const owner = Number.parseInt(name.slice(kind.length + 2), 10);
    if (!existsSync(`/proc/${owner}`)) await rm(join(CACHE, name), { recursive: true, force: true });
  }
  const names = all.filter((name) => new RegExp(`^${kind}-[0-9a-f]{16}(\\.|$)`).test(name));
  const dated = await Promise.all(names.map(async (name) => ({ name, time: (await stat(join(CACHE, name))).mtimeMs })));
  const old = dated.sort((a, b) => b.time - a.time).slice(KEPT);
  for (const { name } of old) await rm(join(CACHE, name), { recursive: true, force: true });
}

/** Of all sources below these places that ship, of the words, and of the Node that runs them. */
async function digestOf(places: readonly string[], words: readonly string[], which = /(?:)/): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([process.version, ...words]));
  for (const place of places) {
    for (const file of await filesOf(place)) {
      if (/\.test\.ts$|\/testing\//.test(file) || !which.test(`/${file}`)) continue;
      hash.update(`${file}\0`).update(await readFile(join(ROOT, file)));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

async function filesOf(place: string): Promise<readonly string[]> {
  if ((await stat(join(ROOT, place))).isFile()) return [place];
  const found = await readdir(join(ROOT, place), { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
    .sort();
}
