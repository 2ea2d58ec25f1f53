/** A whole tree to an empty disk: an agent's program, and others. */
import { join } from "node:path";
import type { ImageFiles } from "../../installer-agent/image/image-source.ts";
import { type Disk, type Run, timed } from "./image-disk.ts";
import type { Unpacking } from "./image-library.ts";
import { type Rig, tlsOf } from "./image-rig.ts";
import { PORTS } from "./image-servers.ts";
import { median } from "./quantiles.ts";
import { type Row, row } from "./row.ts";

const MEBI = 2 ** 20;
/** What the budgets allow, of `curl | zstd -d | tar -x`. */
const RATIO = 0.8;
const MEMORY_MIB = 256;
const TAR = "tar -x --numeric-owner --xattrs --xattrs-include='*' --acls";

/** Whatever it is fetched with, to `$1`; certificates are `$2`. */
const FULL = {
  "curl, zstd -d, tar -x": `curl -sSf $2 https://localhost:${PORTS.tls}/new.tar.zst | zstd -dc | ${TAR} -C "$1"`,
  casync: `casync extract --store=http://localhost:${PORTS.plain}/casync.castr http://localhost:${PORTS.plain}/new.caidx "$1"`,
  rsync: `rsync -aHAX --numeric-ids rsync://127.0.0.1:${PORTS.rsync}/all/new/ "$1/"`,
  OSTree: `
    ostree init --repo="$1/ostree" --mode=bare
    ostree remote add --repo="$1/ostree" --no-gpg-verify origin http://localhost:${PORTS.plain}/ostree
    ostree pull --repo="$1/ostree" origin new >/dev/null
    ostree checkout --repo="$1/ostree" -H origin:new "$1/root"`,
} as const;
const PEERS = ["curl, zstd -d, tar -x", "casync", "rsync", "OSTree"] as const;
const [NAIVE] = PEERS;

export function fullRows(rig: Rig, files: ImageFiles): readonly Row[] {
  const { library, disks, rounds, expected } = rig;
  const ours: Unpacking[] = [];
  const theirs = new Map(PEERS.map((name): [string, Run[]] => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const name of PEERS) {
      const target = disks.next.renew();
      theirs.get(name)?.push(timed(FULL[name], target, target.target, tlsOf(rig)));
      if (round === 0) expected.check(name === "OSTree" ? join(target.target, "root") : target.target, name);
    }
    ours.push(library.unpack(files, disks.next.renew()));
    if (round === 0) expected.check(disks.next.target, "ours");
  }
  const of = (name: string, what: (run: Run) => number) => median((theirs.get(name) ?? []).map(what));
  const own = (what: (run: Run) => number) => median(ours.map(what));
  const naive = of(NAIVE, seconds);
  const budget = Number((RATIO * naive).toPrecision(3));
  return [
    ...PEERS.map((name) =>
      row("full install to ext4, verified, synced", own(seconds), "s", {
        peer: { name, value: of(name, seconds) },
        ...(name === NAIVE && { budget }),
      }),
    ),
    row("full install: processor time", own(processor), "s", { peer: { name: NAIVE, value: of(NAIVE, processor) } }),
    ...PEERS.map((name) =>
      row("full install: on the wire", own(wire), "MiB", { peer: { name, value: of(name, wire) } }),
    ),
    row("full install: agent's memory at its peak", median(ours.map(({ done }) => done.peakBytes)) / MEBI, "MiB", {
      budget: MEMORY_MIB,
    }),
  ];
}

export const seconds = (run: Run) => run.seconds;
export const wire = (run: Run) => run.wire / MEBI;
const processor = (run: Run) => run.processor;

/** What a full install is made of, each thing alone and by the fastest program at hand: no way of installing is faster than the slowest of them on a processor of its own. */
export function limitRows(rig: Rig): readonly Row[] {
  const { disks, trees, folder } = rig;
  const parts = {
    "fetched by TLS, one connection (curl)": `curl -sSf -o /dev/null $2 https://localhost:${PORTS.tls}/new.tar.zst`,
    "decompressed (zstd -d)": `zstd -dc '${trees}/new.tar.zst' >/dev/null`,
    "hashed (openssl dgst -sha256)": `openssl dgst -sha256 '${folder}/new.tar' >/dev/null`,
    "files made and synced (tar -x)": `${TAR} -C "$1" -f '${folder}/new.tar'`,
  };
  const target = disks.next;
  timed(`zstd -qdf '${trees}/new.tar.zst' -o '${folder}/new.tar'`, target.renew());
  return Object.entries(parts).map(([what, script]) => {
    const took = Array.from({ length: rig.rounds }, () => timed(script, target.renew(), target.target, tlsOf(rig)));
    return row(`alone: ${what}`, median(took.map(seconds)), "s");
  });
}

/** The 12th of successive images beside the first: what it costs that its objects lie in twelve uploads. */
export function seriesRows(
  { library, disks, rounds }: Rig,
  images: { readonly first: ImageFiles; readonly last: ImageFiles },
): readonly Row[] {
  const take = (files: ImageFiles, disk: Disk) => library.unpack(files, disk.renew());
  const [first, last]: [Run[], Run[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    first.push(take(images.first, disks.next));
    last.push(take(images.last, disks.next));
  }
  const peer = (what: (run: Run) => number) => ({ name: "the 1st", value: median(first.map(what)) });
  const budget = Number((1.15 * peer(seconds).value).toPrecision(3));
  return [
    row("the 12th of 12 images, full install", median(last.map(seconds)), "s", { peer: peer(seconds), budget }),
    row("the 12th: on the wire", median(last.map(wire)), "MiB", { peer: peer(wire) }),
    row("the 12th: packs that it is read from", images.last.packs.length, "packs", {
      peer: { name: "the 1st", value: images.first.packs.length },
    }),
  ];
}
