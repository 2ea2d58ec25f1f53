/** Bringing trees into a library. */
import { join } from "node:path";
import { timed } from "./image-disk.ts";
import { seconds } from "./image-full.ts";
import type { Rig } from "./image-rig.ts";
import { median } from "./quantiles.ts";
import { type Row, row } from "./row.ts";

const TAR = `tar -C "$1" --numeric-owner --xattrs --xattrs-include='*' --acls -cf - .`;

/** To the file `$2`. */
const PEERS = {
  "tar -c, zstd": `${TAR} | zstd -qf -o "$2"; sync "$2"`,
  "tar -c, zstd -9 -T0": `${TAR} | zstd -qf -9 -T0 -o "$2"; sync "$2"`,
} as const;
/** Into the store `$2`. */
const CASYNC = `casync make --store="$2" "$2.caidx" "$1" >/dev/null`;

export function importRows({ library, trees, folder, rounds, disks }: Rig): readonly Row[] {
  const [old, next] = [join(trees, "old"), join(trees, "new")];
  const ours: { first: number[]; next: number[]; again: number[] } = { first: [], next: [], again: [] };
  const casync: { first: number[]; next: number[] } = { first: [], next: [] };
  const archives = new Map<string, number[]>();
  // Nothing is written there: the peers sync what they made.
  const disk = disks.next.renew();
  for (let round = 0; round < rounds; round += 1) {
    const store = join(folder, `store-${round}.castr`);
    casync.first.push(seconds(timed(CASYNC, disk, old, store)));
    casync.next.push(seconds(timed(CASYNC, disk, next, store)));
    for (const [name, script] of Object.entries(PEERS)) {
      const took = seconds(timed(script, disk, old, join(folder, "archive")));
      archives.set(name, [...(archives.get(name) ?? []), took]);
    }
    const cluster = `import${round}`;
    library.addCluster(cluster);
    ours.first.push(library.import("old:1", old, cluster));
    ours.next.push(library.import("new:1", next, cluster));
    ours.again.push(library.import("again:1", next, cluster));
  }
  const first = median(ours.first);
  const beside = (name: string, values: readonly number[]) => ({ peer: { name, value: median(values) } });
  return [
    ...[...archives].map(([name, values]) => row("import into an empty library", first, "s", beside(name, values))),
    row("import into an empty library", first, "s", beside("casync make", casync.first)),
    row("import of the update", median(ours.next), "s", beside("casync make", casync.next)),
    row("import of what is there", median(ours.again), "s"),
  ];
}
