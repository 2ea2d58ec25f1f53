/** A manifest in bounded memory: what this machine cannot hold, or hpsd did not announce, is refused before it fills it. */
import { readFileSync } from "node:fs";
import { getHeapStatistics } from "node:v8";
import { LARGEST_OBJECT } from "../../proto/image/limits.ts";
import { objectsIn } from "../../proto/image/manifest.ts";
import type { ManifestEntry } from "../../proto/image/manifest-entry.ts";
import { type FindableManifest, ManifestView } from "../../proto/image/manifest-view.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { roundSize } from "../../proto/values/size.ts";

/** What hpsd says that the image has. */
export interface AnnouncedTree {
  readonly entries: number;
  /** Of all its files, holes not counted. */
  readonly contentBytes: number;
}

/** Of an entry beside its bytes, and of an object while it is checked: there are none that take less. */
const LEAST_ENTRY = 24;
const LEAST_OBJECT = 80;
/** Left to all else that runs: other programs, the threads that unpack, what comes over the network. */
const RESERVE = 64 << 20;
const LOOK_EVERY = 4096;

const UNFIT = "the image needs a machine with more memory, or fewer names; hpsctl image get tells its entries";
const OTHER = "see hpsctl image verify; import the image again, then hpsctl installation retry HOST";

/** Of what V8 allows itself, what it uses for objects that stay: the rest is its nursery. */
const HEAP_SHARE = 0.75;

/** Bytes that this program may still take: of the machine, and of what Node allows itself. */
export function memoryLeft(): number {
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "latin1"))?.[1] ?? "0";
  const { heap_size_limit, used_heap_size } = getHeapStatistics();
  return Math.min(Number(kib) * 1024, heap_size_limit * HEAP_SHARE - used_heap_size);
}

export class ManifestBounds {
  readonly #tree: AnnouncedTree;
  readonly #what: string;
  readonly #left: () => number;

  /** `what` names the image; `left` is how much memory there is at a moment. */
  constructor(tree: AnnouncedTree, what: string, left: () => number = memoryLeft) {
    this.#tree = tree;
    this.#what = what;
    this.#left = left;
  }

  /** Why so many bytes of manifest and the entries that are announced cannot be held; undefined when they may. */
  refusal(bytes: number): HpsError | undefined {
    const needed = bytes + this.#tree.entries * LEAST_ENTRY;
    return needed + RESERVE > this.#left() ? this.#unfit(needed) : undefined;
  }

  /** Reads it and tells its entries; stops where it has more than was announced, or where the machine has no more memory for it. */
  read(raw: Uint8Array, told: (entry: ManifestEntry) => void): FindableManifest {
    const { entries: most, contentBytes: mostContent } = this.#tree;
    // A file's content is cut each 4 MiB, and each object is of a file.
    const mostObjects = most + Math.floor(mostContent / LARGEST_OBJECT);
    const count = objectsIn(raw);
    if (count > mostObjects) throw this.#other(`${count} objects, where there can be ${mostObjects}`);
    this.#look(count * LEAST_OBJECT);
    let entries = 0;
    let content = 0;
    const view = ManifestView.read(raw, (entry, lengths) => {
      if (entries === most) throw this.#other(`more than the ${most} entries`);
      if (entries % LOOK_EVERY === LOOK_EVERY - 1) this.#look(0);
      for (const object of entry.objects) content += lengths[object] ?? 0;
      if (content > mostContent) throw this.#other(`more than the ${mostContent} bytes of content`);
      entries += 1;
      told(entry);
    });
    if (entries < most) throw this.#other(`${entries} entries, not the ${most}`);
    if (content < mostContent) throw this.#other(`${content} bytes of content, not the ${mostContent}`);
    return view;
  }

  #look(more: number): void {
    if (more + RESERVE > this.#left()) throw this.#unfit(more);
  }

  #unfit(needed: number): HpsError {
    const has = `${roundSize(Math.max(this.#left(), 0))} of memory are free, and ${roundSize(RESERVE)} of them are for all else`;
    const needs = needed > 0 ? `, which take ${roundSize(needed)} at least` : "";
    return new HpsError(
      "exhausted",
      `this machine cannot read the manifest of ${this.#what}: it has ${this.#tree.entries} entries${needs}; ${has}`,
      { hint: UNFIT },
    );
  }

  #other(why: string): HpsError {
    return new HpsError("data-loss", `the manifest of ${this.#what} has ${why} that hpsd announced`, { hint: OTHER });
  }
}
