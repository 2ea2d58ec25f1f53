/** For tests: a library, and archives to put into it. */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Audit } from "../audit/audit.ts";
import { Room } from "../files/room.ts";
import { addTestCluster, openTestStore } from "../testing/open-test-store.ts";
import { Collector } from "./collector.ts";
import { Deltas } from "./deltas.ts";
import { Filing } from "./filing.ts";
import { parseImageOrder } from "./image-order.ts";
import { Images } from "./images.ts";
import { LibraryFiles } from "./library-files.ts";
import { PassingNames } from "./passing-names.ts";
import { Uploads } from "./uploads.ts";
import { Verifier } from "./verifier.ts";

export const sha256 = (text: string | Uint8Array) => createHash("sha256").update(text).digest("hex");

/** What an importer says of an archive with this content. */
export function orderOf(name: string, content: string, change: object = {}) {
  const file = { digest: sha256(content), sizeBytes: BigInt(Buffer.byteLength(content)), format: "tar" as const };
  const found = { contentBytes: 9n, entries: 2n, lacks: ["init", "kernel"], system: "Debian", kernel: "6.1" };
  return parseImageOrder({ name, ...file, ...found, ...change });
}

export async function* inPieces(...pieces: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece);
}

interface RigOptions {
  /** Of one archive, or of what one upload stores. */
  readonly maxBytes?: number;
  /** Of a library. */
  readonly librarySize?: number;
  /** So many tags of each name the shared library keeps; 0: all. */
  readonly sharedTags?: number;
}

/** The images of two clusters, in a folder of their own. */
export async function openImageRig({ maxBytes = 1000, librarySize = 2 ** 50, sharedTags = 0 }: RigOptions = {}) {
  const store = await openTestStore();
  const folder = await mkdtemp(path.join(tmpdir(), "hps-images-"));
  const failures: unknown[] = [];
  const time = { now: 1_000 };
  const clock = () => time.now;
  const limits = { imageSize: maxBytes, librarySize };
  const open = async () => {
    const files = await LibraryFiles.open(path.join(folder, "images"), new Room(folder));
    const filing = new Filing({ store, clock, files, onError: (error) => failures.push(error) });
    const audit = new Audit(store, clock);
    const images = new Images({ store, clock, audit, limits, filing });
    const names = new PassingNames({ store, clock, audit, sharedTags });
    const collector = new Collector({ store, clock, audit, filing, names });
    const verifier = new Verifier({ store, clock, audit, filing });
    const deltas = new Deltas({ store, clock, audit, filing, onError: (error) => failures.push(error) });
    return {
      filing,
      images,
      names,
      collector,
      verifier,
      deltas,
      uploads: new Uploads({ store, clock, filing, images, limits }),
    };
  };
  const [a, b] = [await addTestCluster(store, "a"), await addTestCluster(store, "b")];
  return {
    ...{ store, failures, time, ...(await open()), reopened: open, a, b },
    /** Names of files: archives, or those of a part. */
    files: async (part = ".") => {
      const entries = await readdir(path.join(folder, "images", part), { withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
    },
    file: (...names: readonly string[]) => path.join(folder, "images", ...names),
    audited: async () =>
      await store.read(async (db) => {
        const rows = await db.selectFrom("audit").select(["actor", "target", "details_json"]).execute();
        return rows.map(({ details_json, ...row }) => ({ ...row, ...JSON.parse(details_json) }));
      }),
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
