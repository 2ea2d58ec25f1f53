import { HpsError } from "../../values/hps-error.ts";
import { chooseKernel } from "../../values/kernel-choice.ts";
import { aclBytes } from "../acl.ts";
import { type ByteString, bytesOf, latin1 } from "../byte-string.ts";
import type { ByteSource } from "../compression/byte-source.ts";
import { type Compression, type Decompressors, decompressed } from "../compression/decompress.ts";
import type { AclTexts, TarEntry, TarHandler } from "../tar/entry.ts";
import { TarReader } from "../tar/reader.ts";
import { Budget, DEFAULT_LIMITS, type UnpackLimits } from "../unpack/limits.ts";
import { idsOfLists } from "../unpack/target-names.ts";
import { prettyName } from "./os-release.ts";
import { TreeIndex } from "./tree-index.ts";

/** What an operating system's tree needs to be started from its own disk. */
type BootPart = "kernel" | "initrd" | "init";

export interface ArchiveSummary {
  readonly compression: Compression;
  readonly entries: number;
  /** Of all regular files, holes not counted: what unpacking writes. */
  readonly contentBytes: number;
  /** `Debian GNU/Linux 12 (bookworm)`; empty where the tree does not say. */
  readonly system: string;
  /** `6.1.0-32-amd64`; empty without a kernel. */
  readonly kernel: string;
  readonly lacks: readonly BootPart[];
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

class Scanner implements TarHandler {
  readonly #index = new TreeIndex();
  readonly #budget: Budget;
  readonly #texts = new Map<string, Buffer>();
  readonly #acls = new Map<ByteString, AclTexts>();
  #path: ByteString | undefined;

  constructor(limits: UnpackLimits) {
    this.#budget = new Budget(limits);
  }

  entry(entry: TarEntry): void {
    this.#budget.addEntry(entry.path);
    const path = this.#index.add(entry);
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
    const { kernel, lacks } = this.#bootParts();
    return {
      entries: this.#budget.entries,
      contentBytes: this.#budget.bytes,
      system: prettyName(this.#text("etc/os-release") || this.#text("usr/lib/os-release")),
      kernel,
      lacks,
    };
  }

  #bootParts(): Pick<ArchiveSummary, "kernel" | "lacks"> {
    const init = this.#index.fileAt("sbin/init");
    const hasInit = init?.type === "file" && init.isExecutable && init.size > 0;
    const withoutInit: BootPart[] = hasInit ? [] : ["init"];
    const files = this.#index.inFolder("boot").filter(([, { type, size }]) => type === "file" && size > 0);
    const names = files.map(([name]) => bytesOf(name).toString("utf8"));
    const links = ["vmlinuz", "boot/vmlinuz"].flatMap((path) => {
      const entry = this.#index.entryAt(path);
      return entry?.type === "symlink" ? [{ path: `/${path}`, target: bytesOf(entry.link).toString("utf8") }] : [];
    });
    try {
      return { kernel: chooseKernel({ files: names, links }).version, lacks: withoutInit };
    } catch (error) {
      if (!(error instanceof HpsError)) throw error;
      return { kernel: "", lacks: [...withoutKernel(names), ...withoutInit] };
    }
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

/** There is no kernel with its initrd: which of both is missing. */
function withoutKernel(names: readonly string[]): BootPart[] {
  if (names.some((name) => /^(vmlinu[xz]|bzImage|linux)(-|$)/.test(name))) return ["initrd"];
  return names.some((name) => /^init(rd|ramfs)/.test(name)) ? ["kernel"] : ["kernel", "initrd"];
}
