import { aclBytes } from "../acl.ts";
import { type ByteString, latin1 } from "../byte-string.ts";
import type { ByteSource } from "../compression/byte-source.ts";
import { type Compression, type Decompressors, decompressed } from "../compression/decompress.ts";
import type { AclTexts, TarEntry, TarHandler } from "../tar/entry.ts";
import { TarReader } from "../tar/reader.ts";
import { Budget, DEFAULT_LIMITS, type UnpackLimits } from "../unpack/limits.ts";
import { idsOfLists } from "../unpack/target-names.ts";
import { type IndexedEntry, TreeIndex } from "./tree-index.ts";
import { summaryOf, type TreeSummary } from "./tree-summary.ts";

export interface ArchiveSummary extends TreeSummary {
  readonly compression: Compression;
  readonly entries: number;
  /** Of all regular files, holes not counted: what unpacking writes. */
  readonly contentBytes: number;
}

export interface ScanOptions extends Pick<Decompressors, "xz"> {
  readonly limits?: Partial<UnpackLimits>;
  readonly signal?: AbortSignal;
}

/**
 * Reads a whole archive, compressed or not, and writes nothing. Refuses what unpacking would refuse: damage, paths that
 * leave the tree, entries below links, lists of access that name nobody.
 */
export async function scanArchive(source: ByteSource, options: ScanOptions = {}): Promise<ArchiveSummary> {
  const scanner = new Scanner({ ...DEFAULT_LIMITS, ...options.limits });
  const reader = new TarReader(scanner);
  let compression: Compression = "none";
  const onCompression = (found: Compression) => {
    compression = found;
  };
  for await (const piece of decompressed(source, { ...(options.xz && { xz: options.xz }), onCompression })) {
    options.signal?.throwIfAborted();
    reader.push(piece);
  }
  reader.end();
  return { compression, ...scanner.summary() };
}

/** Files that are read, and the most that is read of one. */
const WANTED: ReadonlySet<string> = new Set(["etc/os-release", "usr/lib/os-release", "etc/passwd", "etc/group"]);
const MOST_READ = 1 << 20;

const FOLDER: IndexedEntry = { type: "directory", link: latin1(""), mode: 0o755, size: 0 };

function indexed(entry: TarEntry, index: TreeIndex<IndexedEntry>): IndexedEntry {
  const { type, link, mode, size } = entry;
  return type === "hardlink" ? index.linked(entry) : { type, link, mode, size };
}

class Scanner implements TarHandler {
  readonly #index = new TreeIndex<IndexedEntry>(FOLDER);
  readonly #budget: Budget;
  readonly #texts = new Map<string, Buffer>();
  readonly #acls = new Map<ByteString, AclTexts>();
  #path: ByteString | undefined;

  constructor(limits: UnpackLimits) {
    this.#budget = new Budget(limits);
  }

  entry(entry: TarEntry): void {
    this.#budget.addEntry(entry.path);
    const path = this.#index.add(entry, indexed(entry, this.#index));
    this.#path = path;
    this.#acls.delete(path);
    if (entry.acls.access !== undefined || entry.acls.default !== undefined) {
      this.#budget.addKept((entry.acls.access?.length ?? 0) + (entry.acls.default?.length ?? 0), path);
      this.#acls.set(path, entry.acls);
    }
    if (entry.type === "file" && WANTED.has(path)) this.#texts.set(path, Buffer.alloc(Math.min(entry.size, MOST_READ)));
  }

  data(bytes: Uint8Array, offset: number): void {
    if (this.#path === undefined) return;
    this.#budget.addBytes(bytes.length, this.#path);
    const text = this.#texts.get(this.#path);
    if (text !== undefined && offset < text.length) text.set(bytes.subarray(0, text.length - offset), offset);
  }

  done(): void {
    this.#path = undefined;
  }

  summary(): Omit<ArchiveSummary, "compression"> {
    this.#checkAcls();
    const { entries, bytes } = this.#budget;
    return { entries, contentBytes: bytes, ...summaryOf(this.#index, (path) => this.#text(path)) };
  }

  #checkAcls(): void {
    if (this.#acls.size === 0) return;
    const idOfName = idsOfLists(this.#text("etc/passwd"), this.#text("etc/group"));
    for (const [path, { access, default: byDefault }] of this.#acls) {
      for (const text of [access, byDefault]) if (text !== undefined) aclBytes(text, idOfName, path);
    }
  }

  #text(path: string): string {
    const content = this.#texts.get(this.#index.resolve(latin1(path)) ?? "");
    return content?.toString("utf8") ?? "";
  }
}
