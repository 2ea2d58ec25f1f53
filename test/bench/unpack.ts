/** How long a Debian image takes from its archive to a file system. `unpack ARCHIVE.tar.zst` takes another one. Needs root. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { temporaryFolder } from "./bench-hpsd.ts";
import { median } from "./quantiles.ts";
import { type Measured, row } from "./row.ts";

const ROUNDS = 7;
const UNPACKER = path.join(import.meta.dirname, "unpack-archive.ts");
const MEBI = 1 << 20;

interface Run {
  readonly seconds: number;
  /** Of all its processes. */
  readonly processor: number;
  readonly output: string;
}

export async function unpack(argv: readonly string[]): Promise<Measured> {
  using folder = temporaryFolder();
  const archive = argv[0] ?? makeArchive(folder.path);
  const ours: Run[] = [];
  const theirs: Run[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const tar = "tar -x --numeric-owner --xattrs --xattrs-include='*' --acls";
    theirs.push(onFreshExt4(folder.path, (target) => `zstd -dc '${archive}' | ${tar} -C '${target}'`));
    ours.push(onFreshExt4(folder.path, (target) => `'${process.execPath}' '${UNPACKER}' '${archive}' '${target}'`));
  }
  const of = (runs: readonly Run[], what: (run: Run) => number) => median(runs.map(what));
  const peer = (value: (run: Run) => number) => ({ name: "zstd -d, tar -x", value: of(theirs, value) });
  const seconds = ({ seconds: value }: Run) => value;
  const processor = ({ processor: value }: Run) => value;
  const rows = [
    row("archive, compressed", statSync(archive).size / MEBI, "MiB"),
    row("to ext4, verified, synced", of(ours, seconds), "s", {
      peer: peer(seconds),
      budget: Number((0.8 * of(theirs, seconds)).toPrecision(3)),
    }),
    row("the same, processor time", of(ours, processor), "s", { peer: peer(processor) }),
    row("memory at its peak", of(ours, ({ output }) => Number(output)) / MEBI, "MiB", { budget: 256 }),
  ];
  return { rows, notes: NOTES };
}

const NOTES = [
  `Medians of ${ROUNDS} runs by turns, each into a new ext4 on a loop device, from its start to the end of sync; the archive is in the page cache. Ours includes the start of Node and the SHA-256 of the archive, its peer's does not.`,
];

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
