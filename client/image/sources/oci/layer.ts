import { type ByteString, joinParts, latin1, partsOf } from "../../../../proto/tree/byte-string.ts";
import type { TarEntry, TarHandler } from "../../../../proto/tree/tar/entry.ts";
import type { ImageBuilder } from "../../image-builder.ts";

const WHITEOUT = ".wh.";
/** Names of the storage driver that layers first came from begin so; this one alone means something. */
const META = ".wh..wh.";
const OPAQUE = ".wh..wh..opq";

/** Lays one layer over those before it: what it says is gone goes from them, and from them alone, wherever in the layer that stands. */
export class LayerReader implements TarHandler {
  readonly #builder: ImageBuilder;
  /** Paths of this layer, and the folders above them. */
  readonly #own = new Set<ByteString>();
  #skips = false;

  constructor(builder: ImageBuilder) {
    this.#builder = builder;
  }

  entry(entry: TarEntry): void {
    const parts = partsOf(entry.path);
    this.#skips = parts.some((part) => part.startsWith(WHITEOUT));
    if (this.#skips) this.#whiteout(parts);
    else this.#keep(this.#builder.entry(entry));
  }

  data(bytes: Uint8Array, offset: number): void {
    if (!this.#skips) this.#builder.data(bytes, offset);
  }

  done(): void {
    if (!this.#skips) this.#builder.done();
  }

  #whiteout(parts: readonly ByteString[]): void {
    const folder = joinParts(parts.slice(0, -1));
    const name = parts.at(-1) ?? "";
    const keeps = (path: ByteString) => this.#own.has(path);
    if (name === OPAQUE) this.#builder.pruneBelow(folder, keeps);
    else if (name.startsWith(WHITEOUT) && !name.startsWith(META)) {
      this.#builder.prune(joinParts([...parts.slice(0, -1), latin1(name.slice(WHITEOUT.length))]), keeps);
    }
  }

  #keep(path: ByteString): void {
    this.#own.add(path);
    for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) {
      this.#own.add(latin1(path.slice(0, slash)));
    }
  }
}
