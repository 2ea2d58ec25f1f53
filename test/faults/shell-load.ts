/** Much through one shell, with an eye on hpsd's memory and on everybody else meanwhile. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { request } from "node:https";
import path from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { OperatorSession } from "../e2e/operator-session.ts";
import { endWithUs } from "../lab/program.ts";
import { must } from "../lab/run.ts";
import { armHost, enrolHost, LoadAgent } from "./load-agents.ts";
import { startAgent } from "./real-agent.ts";
import { residentBytes, type startHpsd } from "./real-hpsd.ts";

const HPSCTL = fileURLToPath(new URL("../../client/main.ts", import.meta.url));
const LOOK_MS = 100;
const SAY_MS = 50;
/** Read before the reader stops. */
const BEFORE_STOP = 8 * 2 ** 20;

export type Hpsd = Awaited<ReturnType<typeof startHpsd>>;

/** A host to have shells on, another that is being installed and says so all the time, and a terminal that somebody watches. */
export class ShellLoad {
  readonly #hpsd: Hpsd;
  readonly #idle: number;

  private constructor(hpsd: Hpsd) {
    this.#hpsd = hpsd;
    this.#idle = residentBytes(hpsd.program().pid);
  }

  static async start(hpsd: Hpsd): Promise<ShellLoad> {
    await startAgent(await armHost(hpsd.admin, 1), hpsd.folder);
    return new ShellLoad(hpsd);
  }

  /** A round trip of a file through `-- cat`; the digests of both ends, and what was seen meanwhile. */
  async carry(file: string, { stopMs }: { readonly stopMs: number }) {
    await using installing = await this.#installing();
    const seen = { buffered: 0, grown: 0, silentInstallation: 0, silentWatcher: 0 };
    await using watched = await this.#watched();
    const over = new AbortController();
    const looking = this.#look(seen, installing.acknowledged, watched.seen, over.signal);
    try {
      const digest = await this.#cat(file, stopMs);
      return { digest, seen };
    } finally {
      over.abort();
      await looking;
    }
  }

  async #cat(file: string, stopMs: number): Promise<string> {
    const env = { ...process.env, HPSCONFIG: path.join(this.#hpsd.folder, "hpsctl.yaml") };
    const argv = [HPSCTL, "installer-shell", "lab/h1", "--", "cat"];
    const child = spawn(process.execPath, argv, { env, stdio: ["pipe", "pipe", "pipe"], detached: true });
    const released = endWithUs(child.pid ?? -1);
    let complaint = "";
    child.stderr.on("data", (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    createReadStream(file).pipe(child.stdin);
    const [digest, code] = await Promise.all([
      digestOf(child.stdout, stopMs),
      new Promise((resolve) => child.once("close", resolve)),
    ]);
    released();
    if (code !== 0) throw new Error(`hpsctl ended with ${code}: ${complaint}`);
    return digest;
  }

  async #installing() {
    const number = 2 + Math.floor(Math.random() * 60_000);
    const host = await armHost(this.#hpsd.admin, number);
    const backoff = { min: 100, max: 1000 };
    const identity = await enrolHost(host, path.join(this.#hpsd.folder, "agents"), backoff);
    const agent = new LoadAgent({ host, identity, backoff });
    agent.start();
    const saying = setInterval(() => agent.say(), SAY_MS);
    return {
      acknowledged: () => agent.acknowledged,
      [Symbol.asyncDispose]: async () => {
        clearInterval(saying);
        await agent.stop();
      },
    };
  }

  /** A terminal that shows something all the time, and how much of it its watcher has seen. */
  async #watched() {
    const { shells } = this.#hpsd.admin;
    const owner = OperatorSession.open(shells, { host: "lab/h1", term: "xterm", window: { rows: 24, columns: 80 } });
    const { id } = await owner.session;
    await owner.type(`while sleep 0.${SAY_MS}; do echo tick; done\n`);
    const watcher = OperatorSession.attach(shells, { session: id });
    let seen = 0;
    const reading = (async () => {
      for (let next = await watcher.next(); next !== undefined; next = await watcher.next()) {
        if (next.case === "output") seen += next.value.length;
        watcher.output.length = 0;
      }
    })().catch(() => undefined);
    const owning = owner.last().catch(() => undefined);
    return {
      seen: () => seen,
      [Symbol.asyncDispose]: async () => {
        await shells.killSession({ session: id, reason: "enough" });
        await Promise.all([reading, owning]);
      },
    };
  }

  async #look(
    seen: Record<"buffered" | "grown" | "silentInstallation" | "silentWatcher", number>,
    acknowledged: () => number,
    shown: () => number,
    signal: AbortSignal,
  ): Promise<void> {
    const installation = new Silence(acknowledged);
    const watcher = new Silence(shown);
    while (!signal.aborted) {
      seen.buffered = Math.max(seen.buffered, await gaugeOf(this.#hpsd, "hps_shell_buffered_bytes"));
      seen.grown = Math.max(seen.grown, residentBytes(this.#hpsd.program().pid) - this.#idle);
      seen.silentInstallation = installation.look();
      seen.silentWatcher = watcher.look();
      await sleep(LOOK_MS);
    }
  }
}

/** How long a counter stood still at most, ms. */
class Silence {
  readonly #read: () => number;
  #value: number;
  #since = performance.now();
  #longest = 0;

  constructor(read: () => number) {
    this.#read = read;
    this.#value = read();
  }

  look(): number {
    const value = this.#read();
    this.#longest = Math.max(this.#longest, performance.now() - this.#since);
    if (value !== this.#value) this.#since = performance.now();
    this.#value = value;
    return this.#longest;
  }
}

/** Of all that is read; after a while nothing is, for so long. */
async function digestOf(stream: Readable, stopMs: number): Promise<string> {
  const hash = createHash("sha256");
  let read = 0;
  let stopped = false;
  for await (const chunk of stream) {
    hash.update(chunk);
    read += chunk.length;
    if (stopped || read < BEFORE_STOP) continue;
    stopped = true;
    await sleep(stopMs);
  }
  return hash.digest("hex");
}

/** A file of noise, and its digest. */
export async function noiseFile(folder: string, mebibytes: number): Promise<{ file: string; digest: string }> {
  const file = path.join(folder, "noise");
  await must(["sh", "-c", `head -c ${mebibytes}M /dev/urandom > "$0"`, file], { timeoutMs: 120_000 });
  return { file, digest: await digestOf(createReadStream(file), 0) };
}

/** The value of one of hpsd's gauges without labels. */
export function gaugeOf({ https }: Pick<Hpsd, "https">, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(`https://localhost:${https}/metrics`, { rejectUnauthorized: false }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const page = Buffer.concat(chunks).toString();
      const value = new RegExp(`^${name} (\\S+)$`, "m").exec(page)?.[1];
      if (value === undefined) reject(new Error(`hpsd tells no ${name}: ${page.slice(0, 200)}`));
      else resolve(Number(value));
    });
    asked.once("error", reject).end();
  });
}
