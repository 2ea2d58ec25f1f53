import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { fileDigest } from "../../../proto/flow/file-digest.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseShape, textOf } from "../../../proto/values/parsed.ts";
import { parseSha256 } from "../../../proto/values/sha256.ts";
import { renameDurably, replaceFile, syncFolder } from "../files/durable.ts";
import { type FileWish, IncomingFile } from "../files/incoming-file.ts";
import { type Arrival, Room } from "../files/room.ts";
import { type InstallerFile, type InstallerSet, manifestText, parseManifest } from "./installer-set.ts";

const SETS = "sets";
const CURRENT = "current.json";
const MANIFEST = "manifest.json";
const INCOMING = "incoming-";

const currentSchema = z.strictObject({ digest: textOf(parseSha256), importedAt: z.int().min(0) });

export interface CurrentSet {
  readonly digest: string;
  /** UTC milliseconds. */
  readonly importedAt: number;
}

/**
 * Installers on hpsd's disk:
 *
 *     <state>/boot/current.json                 which set machines boot: its digest, and when it was imported
 *     <state>/boot/sets/<digest>/manifest.json  names, lengths and digests of its files; its own SHA-256 is the set's digest
 *     <state>/boot/sets/<digest>/<file>         kernel, initrd.img, tools.squashfs, … (proto/values/installer-file.ts)
 *     <state>/boot/sets/incoming-…              on its way; nobody's when hpsd is not running
 *
 * A set is whole and durable before it has its name, and nothing in it changes afterwards. `current.json` is replaced by
 * one rename: whenever hpsd dies, the set it names is there, the old one or the new one.
 */
export class SetFolder {
  readonly #folder: string;
  readonly #room: Room;

  private constructor(folder: string, room: Room) {
    this.#folder = folder;
    this.#room = room;
  }

  static async open(folder: string, room: Room): Promise<SetFolder> {
    await mkdir(path.join(folder, SETS), { recursive: true, mode: 0o700 });
    return new SetFolder(folder, room);
  }

  /** What is wrong with the current set, byte for byte; undefined when nothing is. Changes nothing. */
  static async problemIn(folder: string): Promise<string | undefined> {
    const sets = new SetFolder(folder, new Room(folder));
    const current = await sets.current();
    if (current === undefined) return "there is none yet";
    const set = await sets.#set(current.digest);
    const intact = set !== undefined && (await isIntact(sets.pathOf(set.digest), set.files));
    return intact ? undefined : "its files are gone or altered";
  }

  pathOf(digest: string): string {
    return path.join(this.#folder, SETS, digest);
  }

  /** Undefined until the first was imported; `data-loss` when somebody altered what says so. */
  async current(): Promise<CurrentSet | undefined> {
    const text = await readFile(path.join(this.#folder, CURRENT), "utf8").catch(ifMissing);
    return text === undefined ? undefined : parseShape(currentSchema, jsonOf(text), `${CURRENT} of the installer`);
  }

  async setCurrent({ digest, importedAt }: CurrentSet): Promise<void> {
    await replaceFile(path.join(this.#folder, CURRENT), `${JSON.stringify({ digest, importedAt })}\n`);
  }

  /** Those that are whole, as far as names and lengths tell. */
  async sets(): Promise<readonly InstallerSet[]> {
    const names = (await readdir(path.join(this.#folder, SETS))).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const found = await Promise.all(names.map(async (digest) => await this.#set(digest)));
    return found.filter((set) => set !== undefined);
  }

  /** Takes the files' bytes in the order given; the caller discards what it gets, also when it kept it. */
  async receive(set: InstallerSet, order: readonly InstallerFile[], data: AsyncIterable<Uint8Array>) {
    const size = order.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const arrival = await this.#room.take(size, "the installer");
    const made = path.join(this.#folder, SETS, `${INCOMING}${randomUUID()}`);
    const discard = async () => await rm(made, { recursive: true, force: true });
    try {
      await mkdir(made, { mode: 0o700 });
      await receiveAll(made, order, arrival, data);
      await replaceFile(path.join(made, MANIFEST), manifestText(set));
      return { keep: async () => await this.#keep(made, set), discard };
    } catch (error) {
      await discard();
      throw error;
    } finally {
      arrival.release();
    }
  }

  /** Removes the other sets, and what never became one. */
  async keepOnly(digests: readonly string[]): Promise<void> {
    const folder = path.join(this.#folder, SETS);
    const ours = /^(?:incoming-.*|[0-9a-f]{64})$/;
    const gone = (await readdir(folder)).filter((name) => ours.test(name) && !digests.includes(name));
    for (const name of gone) await rm(path.join(folder, name), { recursive: true, force: true });
    if (gone.length > 0) await syncFolder(folder);
  }

  /** A set that is there already stays, unless somebody altered it. */
  async #keep(made: string, set: InstallerSet): Promise<void> {
    const place = this.pathOf(set.digest);
    if ((await this.#set(set.digest)) !== undefined && (await isIntact(place, set.files))) return;
    await rename(place, path.join(this.#folder, SETS, `${INCOMING}${randomUUID()}`)).catch(ifMissing);
    await renameDurably(made, place);
  }

  async #set(digest: string): Promise<InstallerSet | undefined> {
    const place = this.pathOf(digest);
    const text = await readFile(path.join(place, MANIFEST), "utf8").catch(ifMissing);
    if (text === undefined) return undefined;
    const set = parseManifest(text, digest);
    if (set === undefined) return undefined;
    const sizes = await Promise.all(set.files.map(async ({ name }) => await sizeOf(path.join(place, name))));
    return set.files.every(({ sizeBytes }, index) => sizes[index] === sizeBytes) ? set : undefined;
  }
}

/** One chunk may be the end of one file and the beginning of the next. */
async function receiveAll(
  made: string,
  order: readonly InstallerFile[],
  arrival: Arrival,
  data: AsyncIterable<Uint8Array>,
): Promise<void> {
  const chunks = data[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array();
  for (const { name, ...wish } of order) {
    const file = await IncomingFile.create(path.join(made, name), `${name} of the installer`, wish);
    try {
      while (file.missing > 0) {
        const next = rest.length > 0 ? { done: false, value: rest } : await chunks.next();
        if (next.done === true) break;
        const taken = next.value.subarray(0, file.missing);
        rest = next.value.subarray(taken.length);
        await file.append(taken);
        arrival.missing -= taken.length;
      }
      await file.finish();
    } finally {
      await file.discard();
    }
  }
  if (rest.length === 0 && (await chunks.next()).done === true) return;
  throw new HpsError("invalid", "the installer is longer than its files", { hint: "nothing of it was kept" });
}

async function isIntact(folder: string, files: readonly InstallerFile[]): Promise<boolean> {
  const found = await Promise.all(files.map(async (file) => await isFile(path.join(folder, file.name), file)));
  return found.every((intact) => intact);
}

async function isFile(file: string, { digest }: FileWish): Promise<boolean> {
  return await fileDigest(file).then(
    (found) => found === digest,
    () => false,
  );
}

async function sizeOf(file: string): Promise<number | undefined> {
  return await stat(file).then(
    ({ size }) => size,
    () => undefined,
  );
}

function ifMissing(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HpsError("data-loss", `${CURRENT} of the installer is altered: it is not JSON`, { cause });
  }
}
