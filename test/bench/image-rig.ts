/** What all measuring of images works with. */
import { join } from "node:path";
import type { ByteString } from "../../proto/tree/byte-string.ts";
import { type Contents, contents, difference } from "./image-changes.ts";
import type { Disk } from "./image-disk.ts";
import type { Library } from "./image-library.ts";

export interface Rig {
  /** For this run. */
  readonly folder: string;
  /** As `debianTrees` gives it. */
  readonly trees: string;
  readonly library: Library;
  /** What is installed to, and a system that is there before. */
  readonly disks: { readonly next: Disk; readonly old: Disk };
  readonly rounds: number;
  readonly expected: Expected;
}

/** Words of curl: a host's certificate, and whom to believe. */
export function tlsOf({ folder }: Pick<Rig, "folder">, host = 0): string {
  const pem = (name: string) => join(folder, "hosts", name);
  return `--cacert ${pem("ca.pem")} --cert ${pem(`${host}.crt`)} --key ${pem(`${host}.key`)} --tls13-ciphers TLS_AES_128_GCM_SHA256`;
}

/** The new tree, that every way of bringing it has to end with. */
export class Expected {
  /** What did not. */
  readonly wrong: string[] = [];
  readonly #contents: Contents;

  constructor(tree: string) {
    this.#contents = contents(tree);
  }

  /** Ours has to be right; another's that is not is told. */
  check(found: string, whose: string): void {
    const there = contents(found);
    const { changed, removed } = difference(this.#contents, there);
    const [wrong]: readonly ByteString[] = [...changed, ...removed];
    if (wrong === undefined) return;
    const what = `${whose}: ${changed.length + removed.length} paths are not as they are in the tree; /${wrong} is`;
    const text = `${what} "${there.get(wrong)}" and not "${this.#contents.get(wrong)}".`;
    if (whose.startsWith("ours")) throw new Error(text);
    this.wrong.push(text);
    console.error(text);
  }
}
