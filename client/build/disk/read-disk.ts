/** Reads the tree on a disk in a throw-away machine: no file system that somebody else made meets this machine's kernel. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Environment } from "../../../proto/config/overrides.ts";
import { cpioArchive, EXECUTABLE } from "../../../proto/tree/cpio.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { safeText } from "../../../proto/values/safe-text.ts";
import { diskFormat } from "./disk-format.ts";
import { DISK_INIT, DISK_INIT_PATH } from "./disk-init.ts";
import { type ReaderPlan, readerArguments } from "./reader-plan.ts";

export interface DiskOrder {
  readonly disk: string;
  /** Folder of an installer set: its kernel and its system are the machine's. */
  readonly installer: string;
  readonly partition?: number;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  /** Hears what is not in the tree. */
  readonly say: (line: string) => void;
}

/** Until the machine says its first word. */
const START_MS = { kvm: 30_000, tcg: 600_000 };
/** A machine that gives nothing for so long hangs. */
const SILENCE_MS = 300_000;
const LAST_LINES = 5;

/** The tree as a compressed archive, piece by piece; throws at its end when the machine did not give all of it. */
export async function* diskTree(order: DiskOrder): AsyncGenerator<Uint8Array, void> {
  const format = diskFormat(order.disk);
  const work = await mkdtemp(join(order.environment.TMPDIR || "/var/tmp", "hps-disk-"));
  try {
    const initrd = await makeInitrd(order.installer, work);
    const { disk, installer, partition } = order;
    const files = { disk, format, initrd, kernel: join(installer, "kernel"), console: join(work, "console.log") };
    const plan = { ...files, ...(partition !== undefined && { partition }) };
    const machine = await started(order, plan);
    try {
      yield* machine.tree();
      await machine.end();
    } finally {
      machine.kill();
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The installer's system, and over it the other first process. */
async function makeInitrd(installer: string, work: string): Promise<string> {
  const path = join(work, "initrd.img");
  const system = await readFile(join(installer, "initrd.img")).catch((cause: unknown) => {
    throw new HpsError("not-found", `${installer} is no installer set`, {
      hint: "a disk is read by the installer's own system: hpsctl installer-image build --out installer",
      cause,
    });
  });
  const entry = { path: DISK_INIT_PATH, mode: EXECUTABLE, data: Buffer.from(DISK_INIT) };
  await using file = await open(path, "wx");
  await file.writeFile(system);
  await file.writeFile(new Uint8Array((4 - (system.length % 4)) % 4));
  await file.writeFile(cpioArchive([entry]));
  return path;
}

/** By the machine's own processor where that works: a /dev/kvm that is there may still hang a guest. */
async function started(order: DiskOrder, plan: Omit<ReaderPlan, "accelerator">): Promise<Machine> {
  if (isWritable("/dev/kvm")) {
    const machine = new Machine(order, { ...plan, accelerator: "kvm" });
    if (await machine.speaks(START_MS.kvm)) return machine;
    machine.kill();
    order.signal.throwIfAborted();
  }
  const machine = new Machine(order, { ...plan, accelerator: "tcg" });
  if (await machine.speaks(START_MS.tcg)) return machine;
  machine.kill();
  order.signal.throwIfAborted();
  throw await machine.failure("the machine that reads the disk did not start");
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

class Machine {
  readonly #order: DiskOrder;
  readonly #console: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<Error | undefined>;
  readonly #first = Promise.withResolvers<boolean>();
  #last = "";
  #said = "";

  constructor(order: DiskOrder, plan: ReaderPlan) {
    this.#order = order;
    this.#console = plan.console;
    const { environment, signal } = order;
    // Its input stays open: where that ends QEMU takes the port that the tree comes by for closed.
    const stdio: StdioOptions = ["pipe", "pipe", "pipe", "pipe"];
    this.#child = spawn("qemu-system-x86_64", readerArguments(plan), { env: environment, stdio, signal });
    this.#ended = new Promise((resolve) => {
      this.#child.once("error", (error) => resolve(error));
      this.#child.once("close", () => resolve(undefined));
    });
    void this.#ended.then(() => this.#first.resolve(false));
    this.#child.stderr
      ?.setEncoding("utf8")
      .on("data", (text: string) => (this.#said = `${this.#said}${text}`.slice(-4000)));
    this.#hear(this.#child.stdio[3]);
  }

  /** Whether it says anything in time. */
  async speaks(limitMs: number): Promise<boolean> {
    const late = setTimeout(() => this.#first.resolve(false), limitMs);
    const speaks = await this.#first.promise;
    clearTimeout(late);
    if (speaks) return true;
    this.kill();
    const error = await this.#ended;
    if (error !== undefined && "code" in error && error.code === "ENOENT") throw noQemu(error);
    return false;
  }

  async *tree(): AsyncGenerator<Uint8Array, void> {
    const silence = setTimeout(() => this.kill(), SILENCE_MS);
    try {
      for await (const piece of this.#child.stdout ?? []) {
        silence.refresh();
        yield piece;
      }
    } finally {
      clearTimeout(silence);
    }
  }

  /** Throws unless it said that all is there. */
  async end(): Promise<void> {
    await this.#ended;
    this.#order.signal.throwIfAborted();
    if (this.#last === "done") return;
    if (!this.#last.startsWith("error ")) throw await this.failure("the machine that reads the disk ended too soon");
    throw new HpsError("invalid", `${this.#order.disk} was not read: ${safeText(this.#last.slice(6))}`);
  }

  async failure(message: string): Promise<HpsError> {
    const console = await readFile(this.#console, "utf8").catch(() => "");
    const lines = `${console}\n${this.#said}`.split("\n").filter((line) => line.trim() !== "");
    const last = lines.slice(-LAST_LINES).map((line) => safeText(line.trim()));
    return new HpsError("unavailable", `${message}: ${last.join(" / ") || "it said nothing"}`);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #hear(port: ChildProcess["stdio"][3]): void {
    if (!(port instanceof Readable)) return;
    let rest = "";
    port.setEncoding("utf8").on("data", (text: string) => {
      const lines = `${rest}${text}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
    });
  }

  #take(line: string): void {
    this.#first.resolve(true);
    this.#last = line;
    if (line.startsWith("left out")) this.#order.say(line);
  }
}

function noQemu(cause: Error): HpsError {
  return new HpsError("precondition", "qemu-system-x86_64 is not installed: a disk is read in a machine of its own", {
    hint: "apt-get install qemu-system-x86",
    cause,
  });
}
