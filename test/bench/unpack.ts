/** How long a Debian image takes from an HTTPS server to a file system, as packs and as an archive. `unpack ARCHIVE.tar.zst` takes another one. Needs root. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { AGENT_OPTIONS, BUNDLE_OPTIONS, UNPACK_WORKER } from "../../client/build/installer/agent-bundle.ts";
import { imageOfTree } from "../../installer-agent/testing/image-of-tree.ts";
import { NATIVE_FILE, nativeFilePath } from "../../proto/tree/native/library.ts";
import { writeLibrary } from "../faults/image-trees.ts";
import { temporaryFolder } from "./bench-hpsd.ts";
import { median } from "./quantiles.ts";
import { type Measured, row } from "./row.ts";

const ROUNDS = 5;
const ROOT = path.join(import.meta.dirname, "../..");
const DOOR = path.join(import.meta.dirname, "unpack-door.ts");
const MEBI = 1 << 20;
/** What hpsctl compresses frames with. */
const LEVEL = 12;

interface Run {
  readonly seconds: number;
  /** Of all its processes. */
  readonly processor: number;
  readonly output: string;
}

export async function unpack(argv: readonly string[]): Promise<Measured> {
  using folder = temporaryFolder();
  const library = path.join(folder.path, "library");
  const archive = await fillLibrary(library, argv[0] ?? makeArchive(folder.path), folder.path);
  const programs = await bundles(path.join(folder.path, "programs"));
  using _door = await openDoor(library);
  const address = readFileSync(path.join(library, "address"), "utf8");
  const pem = (name: string) => `'${path.join(library, name)}.pem'`;
  const curl = `curl -s --fail --cacert ${pem("root")} --cert ${pem("cert")} --key ${pem("key")} '${address}/files/v1/${archive}'`;
  const tar = "tar -x --numeric-owner --xattrs --xattrs-include='*' --acls";
  const runs = { packs: [] as Run[], archive: [] as Run[], peer: [] as Run[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    runs.peer.push(onFreshExt4(folder.path, (target) => `${curl} | zstd -d | ${tar} -C '${target}'`));
    runs.packs.push(
      onFreshExt4(folder.path, (target) => `'${process.execPath}' '${programs}/packs.js' '${library}' '${target}'`),
    );
    const file = path.join(library, archive);
    runs.archive.push(
      onFreshExt4(folder.path, (target) => `'${process.execPath}' '${programs}/archive.js' '${file}' '${target}'`),
    );
  }
  return { rows: rowsOf(runs, statSync(path.join(library, archive)).size), notes: NOTES };
}

function rowsOf(runs: Readonly<Record<"packs" | "archive" | "peer", readonly Run[]>>, archiveBytes: number) {
  const of = (which: keyof typeof runs, what: (run: Run) => number) => median(runs[which].map(what));
  const seconds = ({ seconds: value }: Run) => value;
  const processor = ({ processor: value }: Run) => value;
  const memory = ({ output }: Run) => Number(output) / MEBI;
  const peer = (value: (run: Run) => number) => ({ name: "curl, zstd -d, tar -x", value: of("peer", value) });
  const budget = Number((0.8 * of("peer", seconds)).toPrecision(3));
  return [
    row("archive, compressed", archiveBytes / MEBI, "MiB"),
    row("packs to ext4, verified, synced", of("packs", seconds), "s", { peer: peer(seconds), budget }),
    row("the same, processor time", of("packs", processor), "s", { peer: peer(processor) }),
    row("memory at its peak", of("packs", memory), "MiB", { budget: 256 }),
    row("an archive to ext4, verified, synced", of("archive", seconds), "s", { peer: peer(seconds) }),
    row("the same, processor time", of("archive", processor), "s", { peer: peer(processor) }),
  ];
}

const NOTES = [
  `Medians of ${ROUNDS} runs by turns, each into a new ext4 on a loop device, from its start to the end of sync. Packs and its peer's archive come over HTTPS with a client certificate from a Node process on the same processors, whose time is in the seconds and not in the processor time; the archive of the last two rows is in the page cache. Ours include the start of Node and the SHA-256 of all content, the peer verifies nothing.`,
];

/** Puts the archive, and the image of its tree as packs, into a folder by their digests. Gives the archive's. */
async function fillLibrary(library: string, archive: string, work: string): Promise<string> {
  const tree = path.join(work, "tree");
  mkdirSync(tree);
  const unpacked = `zstd -dc '${archive}' | tar -x --numeric-owner --xattrs --xattrs-include='*' --acls -C '${tree}'`;
  execFileSync("bash", ["-ec", unpacked]);
  writeLibrary(await imageOfTree(tree, { level: LEVEL, framesAPack: 128 }), library);
  const digest = createHash("sha256").update(readFileSync(archive)).digest("hex");
  copyFileSync(archive, path.join(library, digest));
  return digest;
}

/** As they are shipped: Node strips no types while the clock runs. */
async function bundles(outdir: string): Promise<string> {
  const made = { absWorkingDir: ROOT, legalComments: "none" as const, outdir };
  const entryPoints = { packs: "test/bench/unpack-packs.ts", archive: "test/bench/unpack-archive.ts" };
  await build({ ...BUNDLE_OPTIONS, ...made, entryPoints });
  await build({ ...AGENT_OPTIONS, ...made, entryPoints: { "hps-unpack-worker": UNPACK_WORKER } });
  renameSync(path.join(outdir, "hps-unpack-worker.js"), path.join(outdir, "hps-unpack-worker.cjs"));
  copyFileSync(nativeFilePath(), path.join(outdir, NATIVE_FILE));
  execFileSync("bash", ["-ec", `echo '{"type":"module"}' >'${outdir}/package.json'`]);
  return outdir;
}

async function openDoor(library: string): Promise<Disposable> {
  const door = spawn(process.execPath, [DOOR, library], { stdio: ["ignore", "pipe", "inherit"] });
  await once(door.stdout, "data", { signal: AbortSignal.timeout(60_000) });
  return { [Symbol.dispose]: () => void door.kill() };
}

/** Debian with a kernel, as an image is. */
function makeArchive(folder: string): string {
  const archive = `${folder}/debian.tar.zst`;
  const packages = "--include=linux-image-amd64,openssh-server";
  execFileSync("bash", [
    "-c",
    `mmdebstrap --quiet --variant=important ${packages} bookworm - | zstd -q -o '${archive}'`,
  ]);
  return archive;
}

/** In a mount namespace of its own, so that nothing stays mounted. */
function onFreshExt4(folder: string, command: (target: string) => string): Run {
  const [disk, target] = [`${folder}/disk`, `${folder}/target`];
  mkdirSync(target, { recursive: true });
  const script = `
    rm -f '${disk}'; truncate -s 8G '${disk}'
    mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 '${disk}'
    mount -o loop '${disk}' '${target}'
    TIMEFORMAT='took %R %U %S'
    time { ${command(target)}; sync -f '${target}'; }
    umount '${target}'`;
  const done = spawnSync("unshare", ["--mount", "bash", "-ec", script], { encoding: "utf8", timeout: 600_000 });
  const [, real, user, system] = /^took (\S+) (\S+) (\S+)$/m.exec(done.stderr) ?? [];
  if (done.status !== 0 || real === undefined) throw new Error(`a round failed: ${done.stderr}`);
  return { seconds: Number(real), processor: Number(user) + Number(system), output: done.stdout.trim() };
}
