/** `image-run TREES FOLDER RESULT ROUNDS`: measures images, in network and mount namespaces of its own, and writes what it found. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ImageFiles } from "../../installer-agent/image/image-source.ts";
import { applyShare, changesBetween } from "./image-changes.ts";
import { Disk } from "./image-disk.ts";
import { fullRows, limitRows, seriesRows } from "./image-full.ts";
import { importRows } from "./image-import.ts";
import { Library } from "./image-library.ts";
import { Expected, type Rig } from "./image-rig.ts";
import { startServers } from "./image-servers.ts";
import { servingRows } from "./image-serving.ts";
import { updateRows } from "./image-update.ts";
import { type Measured, type Row, row } from "./row.ts";

/** Successive images, the old and the new one with them. */
const SERIES = 12;
const MEBI = 2 ** 20;

const [trees = "", folder = "", result = "", rounds = ""] = process.argv.slice(2);
const ROUNDS = Number(rounds);
async function measure(): Promise<Measured> {
  say("bringing images");
  const images = await bringImages();
  keepCertificates();
  const stop = await startServers({
    folder,
    served: trees,
    packs: join(library.images, "packs"),
    fleet: library.fleet,
  });
  using next = new Disk(folder, "next");
  using old = new Disk(folder, "old");
  const rig: Rig = {
    ...{ folder, trees, library, rounds: ROUNDS },
    disks: { next, old },
    expected: new Expected(join(trees, "new")),
  };
  try {
    return await measureAll(rig, images);
  } finally {
    await stop();
  }
}

interface Images {
  readonly old: ImageFiles;
  readonly next: ImageFiles;
  /** `next`, with a delta from `old`. */
  readonly byDelta: ImageFiles;
  /** What hpsd took to make it. */
  readonly deltaSeconds: number;
}

async function measureAll(rig: Rig, images: Images): Promise<Measured> {
  say("measuring");
  const archive = statSync(join(trees, "new.tar.zst")).size / MEBI;
  const full = step("full installs", () => fullRows(rig, images.next));
  const limits = step("their parts", () => limitRows(rig));
  const update = step("updates", () => updateRows(rig, images, archive));
  // Before the series: what the shared library has no cluster's library lacks.
  const imports = step("imports", () => importRows(rig));
  const brought = await bringSeries();
  const series = step("successive images", () => seriesRows(rig, brought));
  const served = step("serving", () => servingRows(rig, images.old.packs));
  say("done");
  return {
    rows: [...sizeRows(images, archive), ...full, ...limits, ...update, ...series, ...imports, ...served.rows],
    notes: [...notes(), ...rig.expected.wrong, ...served.notes],
  };
}

function sizeRows({ next, old, byDelta, deltaSeconds }: Images, archive: number): readonly Row[] {
  const sum = (files: readonly { readonly sizeBytes: number }[]) =>
    files.reduce((all, { sizeBytes }) => all + sizeBytes, 0) / MEBI;
  const own = new Set(old.packs.map(({ digest }) => digest));
  return [
    row("packs of the old image, compressed", sum(old.packs), "MiB", {
      peer: { name: "tar.zst of the new", value: archive },
    }),
    row("packs that the new one adds", sum(next.packs.filter(({ digest }) => !own.has(digest))), "MiB"),
    row("manifest", sum([next.manifest]), "MiB"),
    row("delta", sum(byDelta.deltas), "MiB"),
    row("delta, made by hpsd", deltaSeconds, "s"),
  ];
}

/** None is a tag of another's name: hpsd would make deltas while others are measured. */
async function bringImages(): Promise<Images> {
  const [old, next] = [join(trees, "old"), join(trees, "new")];
  library.import("old:1", old);
  library.import("new:1", next);
  say("making a delta");
  const { files: byDelta, seconds } = await library.delta("old:1", "new:1");
  // hpsd names the delta with the image: without it means without.
  const plain = { ...(await library.filesOf("new:1")), deltas: [] };
  return { old: await library.filesOf("old:1"), next: plain, byDelta, deltaSeconds: seconds };
}

/** The old one, then a share of the changes more each time, at last the new one; in a library of their own. */
async function bringSeries(): Promise<{ readonly first: ImageFiles; readonly last: ImageFiles }> {
  const [old, next] = [join(trees, "old"), join(trees, "new")];
  const [first, last] = ["shared/first:1", "shared/last:1"];
  const step = join(folder, "step");
  execFileSync("cp", ["-a", old, step]);
  const changes = changesBetween(old, next);
  library.import(first, old);
  for (let number = 2; number < SERIES; number += 1) {
    applyShare(step, next, changes, { number: number - 2, of: SERIES - 1 });
    library.import(`shared/next${number}:1`, step);
  }
  library.import(last, next);
  rmSync(step, { recursive: true });
  return { first: await library.filesOf(first), last: await library.filesOf(last) };
}

/** Of hosts, for curl. */
function keepCertificates(): void {
  const place = join(folder, "hosts");
  mkdirSync(place, { mode: 0o700 });
  writeFileSync(join(place, "ca.pem"), library.fleet.ca);
  for (const [number, { key, cert }] of library.hosts.entries()) {
    writeFileSync(join(place, `${number}.key`), key, { mode: 0o600 });
    writeFileSync(join(place, `${number}.crt`), cert);
  }
}

function step<T>(what: string, work: () => T): T {
  const began = performance.now();
  const made = work();
  say(`${what}: ${((performance.now() - began) / 1000).toFixed(0)} s`);
  return made;
}

function say(text: string): void {
  console.error(`image: ${text}`);
}

function notes(): readonly string[] {
  const status = (tree: string) => join(trees, tree, "var/lib/dpkg/status");
  if (!existsSync(status("old"))) return NOTES;
  const packages = (tree: string) => readFileSync(status(tree), "utf8").match(/^Package: .*|^Version: .*/gm) ?? [];
  const [old, next] = (["old", "new"] as const).map((tree) => packages(tree).join(" ").split(" Package: "));
  return [aboutDebian(old ?? [], new Set(next)), ...NOTES];
}

/** By each package's name and version. */
function aboutDebian(old: readonly string[], next: ReadonlySet<string>): string {
  const kernel = (list: Iterable<string>) => /linux-image-(\d\S+)/.exec([...list].join("\n"))?.[1] ?? "none";
  const changed = old.filter((one) => !next.has(one)).length;
  return `Trees: Debian 12 minbase with systemd, ssh, curl, python3 and the kernel for clouds; the release alone (kernel ${kernel(old)}) and with all updates (${kernel(next)}): ${changed} of ${old.length} packages are others. Without device nodes.`;
}

const NOTES = [
  `Medians of ${ROUNDS} rounds by turns, each to a new ext4 on a loop device, from the start of the program to the end of sync; mkfs is not in it. What is served lies in the page cache. Every way's result is compared with the tree once; what differs would stand below. All in a network namespace of their own: what went over the wire is what its loopback interface counts, answers and headers included, with segments of 64 KiB.`,
  "Ours is the agent's program and its threads as they ship, its start included, from hpsd as it ships, over TLS with client certificates, every object's SHA-256 checked. curl has TLS with client certificates from nginx; casync, OSTree and rsync have none, which is in their favour. tar and rsync verify nothing; OSTree keeps no times. Archives are zstd -9, as our frames are; casync and OSTree as they come.",
  "Update: the old system is mounted beside the new one's empty disk (casync: --seed; rsync: --copy-dest; changed files: copied first, then the archive over them); OSTree's is on the same disk, as always. The full image is the new tree's archive.",
  `Successive images: the old tree, ten with an eleventh more of the changed paths each, by the hash of their names, then the new one; none collected.`,
  "Packs: curl asks for ranges of one pack, a connection a client, a GiB in all; it takes its part of the same two cores.",
];

const library = await Library.start(folder);
try {
  writeFileSync(result, JSON.stringify(await measure()));
} finally {
  await library.stop();
}
