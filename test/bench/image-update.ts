/** From an old system to a new one beside it: what goes over the wire, and how long it takes. */
import { join } from "node:path";
import type { ImageFiles } from "../../installer-agent/image/image-source.ts";
import { latin1 } from "../../proto/tree/byte-string.ts";
import { type Run, timed } from "./image-disk.ts";
import { seconds, wire } from "./image-full.ts";
import { type Rig, tlsOf } from "./image-rig.ts";
import { PORTS } from "./image-servers.ts";
import { median } from "./quantiles.ts";
import { type Row, row } from "./row.ts";

/** What the budget allows on the wire, of the full image compressed. */
const RATIO = 0.4;
const PLAIN = `http://localhost:${PORTS.plain}`;
const TAR = "tar -x --numeric-owner --xattrs --xattrs-include='*' --acls";
const NEXT = `ostree checkout --repo="$1/ostree" -H origin:new "$1/new-root"`;

/** To `$1`, the old system at `$2`; certificates are `$3`, where the trees are `$4`. */
const UPDATES = {
  "changed files as tar.zst": `
    cp -a "$2/." "$1/"
    (cd "$1" && xargs -0 -r rm -rf -- <"$4/removed")
    curl -sSf $3 https://localhost:${PORTS.tls}/changed.tar.zst | zstd -dc | ${TAR} -C "$1"`,
  casync: `casync extract --seed="$2" --store=${PLAIN}/casync.castr ${PLAIN}/new.caidx "$1"`,
  "rsync -z": `rsync -aHAX --numeric-ids -z --copy-dest="$2" rsync://127.0.0.1:${PORTS.rsync}/all/new/ "$1/"`,
  "OSTree, files": `ostree pull --disable-static-deltas --repo="$1/ostree" origin new >/dev/null; ${NEXT}`,
  "OSTree, static delta": `ostree pull --require-static-deltas --repo="$1/ostree" origin new >/dev/null; ${NEXT}`,
} as const;
const PEERS = [
  "changed files as tar.zst",
  "casync",
  "rsync -z",
  "OSTree, files",
  "OSTree, static delta",
] as const satisfies readonly (keyof typeof UPDATES)[];

/** An OSTree has its old system where the new one comes to be. */
const BEFORE_OSTREE = `
  ostree init --repo="$1/ostree" --mode=bare
  ostree remote add --repo="$1/ostree" --no-gpg-verify origin ${PLAIN}/ostree
  ostree pull --repo="$1/ostree" origin old >/dev/null
  ostree checkout --repo="$1/ostree" -H origin:old "$1/old-root"`;

export interface Updated {
  readonly old: ImageFiles;
  readonly next: ImageFiles;
  /** `next`, with a delta from `old`. */
  readonly byDelta: ImageFiles;
}

export function updateRows(rig: Rig, { old, next, byDelta }: Updated, fullMiB: number): readonly Row[] {
  const { library, disks, rounds, trees, expected } = rig;
  timed(`cp -a "$1/." "$2/"`, disks.old.renew(), join(trees, "old"), disks.old.target);
  const olds = [{ folder: disks.old.target, prefix: latin1(""), image: old.manifest.digest }];
  const runs = new Map<string, Run[]>();
  const keep = (name: string, run: Run, result: string) => {
    const before = runs.get(name) ?? [];
    if (before.length === 0) expected.check(result, name);
    runs.set(name, [...before, run]);
  };
  for (let round = 0; round < rounds; round += 1) {
    for (const name of PEERS) keep(name, ...byPeer(rig, name));
    keep(FILES, library.unpack(next, disks.next.renew(), olds), disks.next.target);
    keep(DELTA, library.unpack(byDelta, disks.next.renew(), olds), disks.next.target);
  }
  const of = (name: string, what: (run: Run) => number) => median((runs.get(name) ?? []).map(what));
  const budget = Number((RATIO * fullMiB).toPrecision(3));
  const compared = (what: string, unit: string, value: (run: Run) => number) =>
    PEERS.map((name) => row(what, of(DELTA, value), unit, { peer: { name, value: of(name, value) } }));
  return [
    row("update, with a delta: on the wire", of(DELTA, wire), "MiB", {
      peer: { name: "full", value: fullMiB },
      budget,
    }),
    row("update, without: on the wire", of(FILES, wire), "MiB", { peer: { name: "full", value: fullMiB } }),
    ...compared("update, with a delta: on the wire", "MiB", wire),
    ...compared("update, with a delta", "s", seconds),
    row("update, without", of(FILES, seconds), "s", {
      peer: { name: "with a delta", value: of(DELTA, seconds) },
    }),
  ];
}

const FILES = "ours";
const DELTA = "ours, with a delta";

function byPeer(rig: Rig, name: (typeof PEERS)[number]): [Run, string] {
  const { disks, trees } = rig;
  const disk = disks.next.renew();
  const isOstree = name.startsWith("OSTree");
  if (isOstree) timed(BEFORE_OSTREE, disk, disk.target);
  const run = timed(UPDATES[name], disk, disk.target, disks.old.target, tlsOf(rig), trees);
  return [run, isOstree ? join(disk.target, "new-root") : disk.target];
}
