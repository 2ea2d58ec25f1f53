import { HpsError } from "../../values/hps-error.ts";
import { chooseKernel } from "../../values/kernel-choice.ts";
import { bytesOf } from "../byte-string.ts";
import { prettyName } from "./os-release.ts";
import type { IndexedEntry, TreeIndex } from "./tree-index.ts";

/** What an operating system's tree needs to be started from its own disk. */
type BootPart = "kernel" | "initrd" | "init";

/** What an operating system's tree says about itself. */
export interface TreeSummary {
  /** `Debian GNU/Linux 12 (bookworm)`; empty where the tree does not say. */
  readonly system: string;
  /** `6.1.0-32-amd64`; empty without a kernel. */
  readonly kernel: string;
  readonly lacks: readonly BootPart[];
}

const EXECUTABLE = 0o111;

/** `text` gives the content of the file that a path leads to, empty when there is none. */
export function summaryOf<Item extends IndexedEntry>(
  index: TreeIndex<Item>,
  text: (path: string) => string,
): TreeSummary {
  const init = index.fileAt("sbin/init");
  const hasInit = init?.type === "file" && (init.mode & EXECUTABLE) !== 0 && init.size > 0;
  const withoutInit: BootPart[] = hasInit ? [] : ["init"];
  const system = prettyName(text("etc/os-release") || text("usr/lib/os-release"));
  const names = bootFiles(index);
  try {
    return { system, kernel: chooseKernel({ files: names, links: kernelLinks(index) }).version, lacks: withoutInit };
  } catch (error) {
    if (!(error instanceof HpsError)) throw error;
    return { system, kernel: "", lacks: [...withoutKernel(names), ...withoutInit] };
  }
}

function bootFiles<Item extends IndexedEntry>(index: TreeIndex<Item>): string[] {
  const files = index.inFolder("boot").filter(([, { type, size }]) => type === "file" && size > 0);
  return files.map(([name]) => bytesOf(name).toString("utf8"));
}

function kernelLinks<Item extends IndexedEntry>(index: TreeIndex<Item>) {
  return ["vmlinuz", "boot/vmlinuz"].flatMap((path) => {
    const entry = index.entryAt(path);
    return entry?.type === "symlink" ? [{ path: `/${path}`, target: bytesOf(entry.link).toString("utf8") }] : [];
  });
}

/** There is no kernel with its initrd: which of both is missing. */
function withoutKernel(names: readonly string[]): BootPart[] {
  if (names.some((name) => /^(vmlinu[xz]|bzImage|linux)(-|$)/.test(name))) return ["initrd"];
  return names.some((name) => /^init(rd|ramfs)/.test(name)) ? ["kernel"] : ["kernel", "initrd"];
}
