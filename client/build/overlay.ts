/** Files of an order, as one archive that is unpacked over the image. */
import { execFile } from "node:child_process";
import { chmod, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { HpsError } from "../../proto/values/hps-error.ts";
import { interrupted } from "./build-program.ts";
import type { OsImageOrder } from "./os-image-order.ts";

const LIMIT_MS = 300_000;
const KEYS = "root/.ssh/authorized_keys";

/** Puts the order's files below `work` and packs them, owned by root. Gives the archive's path; none when there are no files. */
export async function makeOverlay(
  { files, sshKeys }: OsImageOrder,
  work: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (files.length + sshKeys.length === 0) return undefined;
  const root = join(work, "overlay");
  const names: string[] = [];
  for (const { from, to } of files) {
    const name = to.slice(1);
    await mkdir(dirname(join(root, name)), { recursive: true });
    await copy(from, join(root, name));
    names.push(name);
  }
  if (sshKeys.length > 0) names.push(...(await addKeys(root, sshKeys)));
  // The folders above a file are not in the archive: those of the image keep their modes and owners.
  const list = join(work, "overlay.list");
  await writeFile(list, names.map((name) => `${name}\0`).join(""));
  const archive = join(work, "overlay.tar");
  const argv = [
    "-C",
    root,
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "--null",
    "--verbatim-files-from",
    "-T",
    list,
    "-cf",
    archive,
  ];
  await promisify(execFile)("tar", argv, { signal, timeout: LIMIT_MS }).catch((cause: unknown) => {
    if (signal.aborted) throw interrupted();
    throw new HpsError("internal", "cannot pack the files that the image is to hold", { cause });
  });
  return archive;
}

async function copy(from: string, to: string): Promise<void> {
  const options = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true };
  await cp(from, to, options).catch((cause: unknown) => {
    throw new HpsError("invalid", `cannot copy ${from}`, { hint: "is it there, and may you read it?", cause });
  });
}

/** Gives the names of what it made: the folder, for its mode, alone, then the file. */
async function addKeys(root: string, sshKeys: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(sshKeys.map(readKeys));
  const path = join(root, KEYS);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, texts.join(""), { mode: 0o600 });
  await chmod(dirname(path), 0o700);
  return [dirname(KEYS)];
}

async function readKeys(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new HpsError("invalid", `cannot read the key ${path}`, {
      hint: "name the public key: id_ed25519.pub",
      cause,
    });
  });
  const lines = text.split("\n").map((line) => line.trim());
  const keys = lines.filter((line) => line !== "" && !line.startsWith("#"));
  const good = keys.every((line) => /^(\S+ )?(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ AAAA[A-Za-z0-9+/=]+( .*)?$/.test(line));
  if (keys.length > 0 && good) return keys.map((line) => `${line}\n`).join("");
  throw new HpsError("invalid", `${path} holds no public SSH key`, { hint: "name the public key: id_ed25519.pub" });
}
