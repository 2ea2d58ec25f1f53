import { constants, copyFile, mkdir, open, readdir, readFile, rename, stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { fileDigest } from "../../proto/flow/file-digest.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseShape } from "../../proto/values/parsed.ts";
import { backupStore } from "../store/backup-store.ts";
import { restoreStore } from "../store/restore-store.ts";
import { type CommandContext, type ConfigFlags, readConfig, storeFile } from "./command-context.ts";
import { makeState, refuseUsedState } from "./new-state.ts";

const LIST = "backup.json";
const STORE = "hpsd.db";
const KEYS = "ca";
/** Files of these two are named by their content or stand in a folder that is: what is there already is the same. */
const IMAGES = ["images", "boot"] as const;
/** Folders of the state that belong to the store: the authority's keys, the recordings of shells, images and installers. */
const FOLDERS = [KEYS, "sessions", ...IMAGES] as const;
/** On its way to hpsd, and nobody's yet. */
const INCOMING = /(?:^|\/)incoming-/;

export interface BackupFlags extends ConfigFlags {
  /** Whether images and installer are copied too. */
  readonly images: boolean;
}

const listSchema = z.strictObject({
  format: z.literal(1),
  createdAt: z.string(),
  /** SHA-256 of each file, hex, by its path in the backup. */
  files: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
});

/**
 * Writes all that hpsd cannot make anew into a new folder, also while hpsd runs. Keys and images are copied before the
 * store, where somebody may take them away meanwhile, and after it, where somebody may have brought new ones: what the
 * store names is there. The list comes last, so a backup that was cut off has none.
 */
export async function backup(to: string, flags: BackupFlags, context: CommandContext): Promise<void> {
  const config = await readConfig(flags, context);
  await mkdir(path.dirname(path.resolve(to)), { recursive: true });
  await mkdir(to, { mode: 0o700 }).catch((cause: unknown) => {
    throw new HpsError("exists", `cannot make the folder ${to}`, { hint: "name one that does not exist yet", cause });
  });
  const left: readonly string[] = flags.images ? [] : IMAGES;
  const copy = async (folder: string) => {
    if (!left.includes(folder)) await copyFolder(path.join(config.state, folder), path.join(to, folder));
  };
  for (const folder of [KEYS, ...IMAGES]) await copy(folder);
  await backupStore({ file: storeFile(config), to: path.join(to, STORE) });
  for (const folder of FOLDERS) await copy(folder);
  const files: Record<string, string> = {};
  for (const name of await filesBelow(to)) files[name] = await fileDigest(path.join(to, name));
  const list = { format: 1, createdAt: new Date().toISOString(), files } satisfies z.output<typeof listSchema>;
  await writeDurably(path.join(to, LIST), `${JSON.stringify(list, undefined, 2)}\n`);
  context.print(`backed up ${config.state} to ${to}: ${Object.keys(files).length} files`);
  if (!flags.images)
    context.print("It holds no images and no installer: after a restore they are to be imported again.");
  context.print("It holds private keys: keep it where only you can read it.");
}

/** Puts a backup where hpsd's folder is to be; the configuration says where. Checked whole before anything is written. */
export async function restore(from: string, flags: ConfigFlags, context: CommandContext): Promise<void> {
  const config = await readConfig(flags, context);
  await refuseUsedState(config.state);
  const files = await checkedFiles(from);
  await makeState(config.state, "restore", async (made) => {
    await restoreStore({ backup: path.join(from, STORE), file: path.join(made, STORE) });
    for (const folder of FOLDERS) await copyFolder(path.join(from, folder), path.join(made, folder));
  });
  context.print(`restored ${files} files to ${config.state}; start it with hpsd serve --config ${flags.config}`);
}

async function checkedFiles(from: string): Promise<number> {
  const text = await readFile(path.join(from, LIST), "utf8").catch((cause: unknown) => {
    throw new HpsError("not-found", `${from} is no whole backup: it has no ${LIST}`, { cause });
  });
  const { files } = parseShape(listSchema, jsonOf(text), `${LIST} of the backup`);
  const found = (await filesBelow(from)).filter((name) => name !== LIST);
  const strange = found.filter((name) => !Object.hasOwn(files, name));
  if (strange.length > 0)
    throw new HpsError("data-loss", `the backup holds files its list does not: ${strange.join(", ")}`);
  for (const [name, digest] of Object.entries(files)) {
    const actual = found.includes(name) ? await fileDigest(path.join(from, name)) : undefined;
    if (actual !== digest)
      throw new HpsError("data-loss", `${name} of the backup is ${actual === undefined ? "missing" : "altered"}`);
  }
  return found.length;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HpsError("data-loss", `${LIST} of the backup is altered: it is not JSON`, { cause });
  }
}

async function copyFolder(from: string, to: string): Promise<void> {
  if (!(await exists(from))) return;
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const name of await filesBelow(from)) {
    if (!INCOMING.test(name)) await copyPrivately(path.join(from, name), path.join(to, name));
  }
}

/** A file that is gone meanwhile was not to be kept. */
async function copyPrivately(from: string, to: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true, mode: 0o700 });
  // An archive of many gigabytes that the first round has copied does not change; one of another length was cut off.
  if (isNamedByContent(to) && (await sizeOf(to)) === (await sizeOf(from))) return;
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
    throw error;
  }
  await using copy = await open(to, "r+");
  await copy.chmod(0o600);
  await copy.sync();
}

function isNamedByContent(file: string): boolean {
  return /\/(?:images(?:\/(?:manifests|packs|deltas))?|sets)\/[0-9a-f]{64}(?:\/|$)/.test(file);
}

async function sizeOf(file: string): Promise<number | undefined> {
  return await stat(file).then(
    ({ size }) => size,
    () => undefined,
  );
}

/** Paths of all files below a folder, relative to it, in order. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

async function writeDurably(file: string, text: string): Promise<void> {
  await using handle = await open(`${file}.partial`, "wx", 0o600);
  await handle.writeFile(text);
  await handle.sync();
  await rename(`${file}.partial`, file);
}

async function exists(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    () => false,
  );
}
