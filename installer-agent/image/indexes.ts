import { type ListedFrame, listPackFrames, PACK } from "../../proto/image/pack.ts";
import type { SpanFiles } from "../link/files.ts";
import type { ReadOptions } from "../link/read-span.ts";
import { fetchIndex } from "./fetch-index.ts";
import type { IndexedFile } from "./image-source.ts";

/** Indexes that are fetched before they are asked for: each costs a round trip, and takes memory while it waits. */
const AHEAD = 3;

/** The indexes of an image's packs, the first of which are fetched at once: while the manifest comes that says what they are for. */
export class Indexes {
  readonly #packs: readonly IndexedFile[];
  readonly #fetch: (pack: IndexedFile) => Promise<readonly ListedFrame[]>;
  readonly #over = new AbortController();
  readonly #fetched: Promise<readonly ListedFrame[]>[] = [];
  #next = 0;

  constructor(packs: readonly IndexedFile[], spans: SpanFiles, options: ReadOptions) {
    this.#packs = packs;
    const read = { ...options, signal: AbortSignal.any([options.signal, this.#over.signal]) };
    this.#fetch = (pack) => fetchIndex(pack, { kind: PACK, parse: listPackFrames }, { spans, read });
    this.#fetchAhead();
  }

  /** Once. */
  async *inOrder(): AsyncGenerator<readonly ListedFrame[], void> {
    for (let index = this.#fetched.shift(); index !== undefined; index = this.#fetched.shift()) {
      this.#fetchAhead();
      yield await index;
    }
  }

  /** What nobody has asked for is given up. */
  async end(): Promise<void> {
    this.#over.abort();
    await Promise.allSettled(this.#fetched);
  }

  #fetchAhead(): void {
    while (this.#fetched.length < AHEAD) {
      const pack = this.#packs[this.#next];
      if (pack === undefined) return;
      this.#next += 1;
      const index = this.#fetch(pack);
      index.catch(() => undefined); // whoever asks for it is told
      this.#fetched.push(index);
    }
  }
}
