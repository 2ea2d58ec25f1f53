/** Packs from hpsd to many clients at once, and the same files from nginx. */
import type { IndexedFile } from "../../installer-agent/image/image-source.ts";
import { must } from "./image-disk.ts";
import { type Rig, tlsOf } from "./image-rig.ts";
import { PORTS } from "./image-servers.ts";
import { threadSeconds, useBetween } from "./process-use.ts";
import { median } from "./quantiles.ts";
import { type Row, row } from "./row.ts";

const GIBI = 2 ** 30;
const MEBI = 2 ** 20;
const CLIENTS = [1, 8, 64];
/** The client count that a budget is promised for, and how much of nginx's rate. */
const PROMISED = 8;
const RATE = 0.7;

export interface Served {
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
}

export function servingRows(rig: Rig, packs: readonly IndexedFile[]): Served {
  const { library, rounds } = rig;
  const [largest] = packs.toSorted((one, other) => other.sizeBytes - one.sizeBytes);
  if (largest === undefined) throw new Error("an image without a pack");
  const { digest, sizeBytes: size } = largest;
  const rows: Row[] = [];
  const notes: string[] = [];
  for (const clients of CLIENTS) {
    const [ours, theirs]: [number[], number[]] = [[], []];
    let use = "";
    for (let round = 0; round < rounds; round += 1) {
      theirs.push(read(rig, `https://localhost:${PORTS.tls}/packs/${digest}`, { clients, size }));
      const before = threadSeconds(library.pid);
      const rate = read(rig, `${library.address}/${digest}`, { clients, size });
      ours.push(rate);
      const { cores } = useBetween(before, threadSeconds(library.pid), GIBI / rate);
      const busy = [...cores].filter(([, share]) => share > 0.02);
      use = busy.map(([name, share]) => `${name} ${Math.round(share * 100)} %`).join(", ");
    }
    const [own, peer] = [median(ours), median(theirs)];
    const name = "nginx";
    const budget = clients === PROMISED ? { budget: Number((GIBI / peer / RATE).toPrecision(3)) } : {};
    const what = `packs to ${clients} ${clients === 1 ? "client" : "clients"}`;
    rows.push(row(what, own / MEBI, "MiB/s", { peer: { name, value: peer / MEBI } }));
    rows.push(row(`${what}: a GiB`, GIBI / own, "s", { peer: { name, value: GIBI / peer }, ...budget }));
    notes.push(`${what}: threads of hpsd, of one core: ${use}.`);
  }
  return { rows, notes };
}

/** Bytes a second that so many clients get together: each its share of a GiB, by ranges of one pack over one connection. */
function read(rig: Rig, url: string, { clients, size }: { clients: number; size: number }): number {
  const range = Math.min(size, Math.floor(GIBI / clients));
  const times = Math.max(1, Math.round(GIBI / clients / range));
  const client = (number: number) =>
    `curl -sSf -o /dev/null ${tlsOf(rig, number)} -r 0-${range - 1} '${url}?[1-${times}]' & pids+=($!)`;
  const all = Array.from({ length: clients }, (_, number) => client(number));
  const began = performance.now();
  must([`pids=()\n${all.join("\n")}\nfor pid in "\${pids[@]}"; do wait $pid; done`]);
  return (clients * range * times) / ((performance.now() - began) / 1000);
}
