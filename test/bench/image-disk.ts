/** New file systems on loop devices, in the mount namespace of this process, and commands that are timed on them. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const LIMIT_MS = 600_000;
const SIZE = "8G";

/** One disk that is made anew as often as it is needed. */
export class Disk implements Disposable {
  /** Where it is mounted. */
  readonly target: string;
  readonly #file: string;
  #isMounted = false;

  constructor(folder: string, name: string) {
    this.target = join(folder, `${name}-root`);
    this.#file = join(folder, `${name}-disk`);
    mkdirSync(this.target);
  }

  /** With an empty ext4. */
  renew(): this {
    this[Symbol.dispose]();
    const make = "truncate -s $2 $0; mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 $0; mount -o loop $0 $1";
    // lost+found is no part of any tree.
    must([`${make}; rmdir $1/lost+found; sync`, this.#file, this.target, SIZE]);
    this.#isMounted = true;
    return this;
  }

  [Symbol.dispose](): void {
    if (this.#isMounted) must(["umount $0", this.target]);
    this.#isMounted = false;
    rmSync(this.#file, { force: true });
  }
}

export interface Run {
  readonly seconds: number;
  /** Of all its processes. */
  readonly processor: number;
  /** Over the loopback network, all protocols' headers and answers included. */
  readonly wire: number;
  readonly output: string;
}

/** Runs a script, and sync of the file system that it wrote to; its words are `$1` and so on. */
export function timed(script: string, { target }: Pick<Disk, "target">, ...words: readonly string[]): Run {
  const before = loopbackBytes();
  const whole = `set -o pipefail; TIMEFORMAT='took %R %U %S'; time { ${script}\nsync -f '${target}'; }`;
  const said = must([whole, ...["timed", ...words]]);
  const wire = loopbackBytes() - before;
  const [, real, user, system] = /^took (\S+) (\S+) (\S+)$/m.exec(said.errors) ?? [];
  return { seconds: Number(real), processor: Number(user) + Number(system), wire, output: said.output };
}

/** Bytes that were received by the loopback interface of this network namespace, which nobody else uses. */
function loopbackBytes(): number {
  return Number(/lo:\s*(\d+)/.exec(readFileSync("/proc/self/net/dev", "utf8"))?.[1]);
}

export function must(words: readonly string[]): { readonly output: string; readonly errors: string } {
  const done = spawnSync("bash", ["-ec", ...words], { encoding: "utf8", timeout: LIMIT_MS, maxBuffer: 1 << 26 });
  if (done.status !== 0) throw new Error(`${words.join(" ")}: ${done.status ?? done.signal}: ${done.stderr}`);
  return { output: done.stdout.trim(), errors: done.stderr };
}
