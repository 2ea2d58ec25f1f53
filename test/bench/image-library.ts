/** hpsd as it ships, with images in its library, and hosts of its cluster that read them. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { AGENT_OPTIONS } from "../../client/build/installer/agent-bundle.ts";
import { connect } from "../../client/sdk/connect.ts";
import type { ImageFiles } from "../../installer-agent/image/image-source.ts";
import type { OldRoot } from "../../installer-agent/image/old-files.ts";
import { parseTrailer, TRAILER_BYTES } from "../../proto/image/container.ts";
import { DELTA } from "../../proto/image/delta.ts";
import { type BenchHpsd, type BenchState, CLUSTER, initState, PROGRAM, startHpsd } from "./bench-hpsd.ts";
import { type Fleet, type FleetAgent, fillStore } from "./fleet.ts";
import { type Disk, type Run, timed } from "./image-disk.ts";
import type { AgentDone, AgentJob } from "./image-job.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
/** Bundled as the agent is, beside its thread. */
const AGENT = join(ROOT, "dist/image-agent.cjs");
/** As many agents as ask for packs at a time; a tenth of a fleet is of another kind. */
const HOSTS = 80;
const DELTA_MS = 900_000;
/** All clients are one address here. */
const SETS = ["limits.requestsPerMinute=1000000", "limits.connectionsPerAddress=1000"];

export interface Unpacking extends Run {
  readonly done: AgentDone;
}

export class Library {
  readonly fleet: Fleet;
  readonly hosts: readonly FleetAgent[];
  readonly #state: BenchState;
  readonly #folder: string;
  readonly #hpsd: BenchHpsd;
  #environment: NodeJS.ProcessEnv = {};

  private constructor(folder: string, made: { state: BenchState; fleet: Fleet; hpsd: BenchHpsd }) {
    this.#folder = folder;
    this.#state = made.state;
    this.#hpsd = made.hpsd;
    this.fleet = made.fleet;
    this.hosts = made.fleet.agents.filter(({ installationId }) => installationId === "");
  }

  static async start(folder: string): Promise<Library> {
    const state = initState(folder);
    const fleet = await fillStore(state.state, { hosts: HOSTS, withAgents: true });
    const hpsd = await startHpsd(state, SETS);
    const library = new Library(folder, { state, fleet, hpsd });
    library.#login();
    const agent = { ...AGENT_OPTIONS, absWorkingDir: ROOT, entryPoints: ["test/bench/image-agent.ts"] };
    await build({ ...agent, legalComments: "none", outfile: AGENT });
    return library;
  }

  get pid(): number {
    return this.#hpsd.program.pid;
  }

  /** Where files are, by their digests. */
  get address(): string {
    return `https://localhost:${this.#hpsd.httpsPort}/files/v1`;
  }

  /** Where hpsd keeps what there is of images. */
  get images(): string {
    return join(this.#state.state, "images");
  }

  async stop(): Promise<void> {
    await this.#hpsd.program.stop();
  }

  /** How long `hpsctl image import` takes, seconds; into the library of the cluster, `shared/…` into that of all. */
  import(name: string, tree: string, cluster = CLUSTER): number {
    const began = performance.now();
    this.#hpsctl("--cluster", cluster, "image", "import", name, tree);
    return (performance.now() - began) / 1000;
  }

  /** With an empty library. */
  addCluster(name: string): void {
    this.#hpsctl("cluster", "add", name, "--domain", `${name}.example.org`, "--admission", "armed");
  }

  #hpsctl(...words: readonly string[]): void {
    execFileSync(process.execPath, [PROGRAM.hpsctl, ...words], {
      env: this.#environment,
      stdio: ["ignore", "ignore", "pipe"],
    });
  }

  /** As an agent's configuration names it. */
  async filesOf(name: string): Promise<ImageFiles> {
    using hps = await connect({ environment: this.#environment });
    for await (const { message } of hps.images.getManifest({
      cluster: name.startsWith("shared/") ? "" : CLUSTER,
      name,
      indexes: false,
    })) {
      const source = message.case === "image" ? message.value.source : undefined;
      if (source?.manifest === undefined) continue;
      const { digest, sizeBytes } = source.manifest;
      const packs = source.packs.map(indexedFile);
      const deltas = source.deltas.map((delta) => ({ ...indexedFile(delta), base: delta.base }));
      const tree = { entries: Number(source.entries), contentBytes: Number(source.contentBytes) };
      return { tree, manifest: { digest, sizeBytes: Number(sizeBytes) }, packs, deltas, baseUrls: [] };
    }
    throw new Error(`hpsd says nothing of ${name}`);
  }

  /** Has hpsd make what turns one image into another, and gives the other with it; seconds that it took. */
  async delta(base: string, target: string): Promise<{ readonly files: ImageFiles; readonly seconds: number }> {
    using hps = await connect({ environment: this.#environment });
    const began = performance.now();
    const made = await hps.images.makeDelta({ cluster: CLUSTER, base, target }, { timeoutMs: DELTA_MS });
    const seconds = (performance.now() - began) / 1000;
    const bytes = readFileSync(join(this.images, "deltas", made.digest));
    const { indexOffset, indexBytes } = parseTrailer(DELTA, bytes.subarray(-TRAILER_BYTES), bytes.length);
    const delta = { digest: made.digest, sizeBytes: bytes.length, indexOffset, indexBytes, base: made.base };
    return { files: { ...(await this.filesOf(target)), deltas: [delta] }, seconds };
  }

  /** Makes a new file system an image, by an agent's program. */
  unpack(files: ImageFiles, disk: Disk, olds: readonly OldRoot[] = []): Unpacking {
    const [host] = this.hosts;
    if (host === undefined) throw new Error("the fleet has no host");
    const { grpcPort, httpsPort } = this.#hpsd;
    const ports = { grpc: `localhost:${grpcPort}`, https: `https://localhost:${httpsPort}` };
    const job: AgentJob = {
      ...{ ...ports, ca: this.fleet.ca, key: host.key, cert: host.cert },
      ...{ files, root: disk.target, olds },
    };
    const path = join(this.#folder, "job.json");
    writeFileSync(path, JSON.stringify(job), { mode: 0o600 });
    const run = timed(`"$1" "$2" "$3"`, disk, process.execPath, AGENT, path);
    return { ...run, done: JSON.parse(run.output) };
  }

  #login(): void {
    const { folder, invitation } = this.#state;
    const { grpcPort, httpsPort } = this.#hpsd;
    this.#environment = { ...process.env, HPSCONFIG: join(folder, "contexts.yaml"), HOME: folder };
    const words = ["login", `https://localhost:${httpsPort}`, "--token", "-", "--server", `localhost:${grpcPort}`];
    const input = readFileSync(invitation);
    execFileSync(process.execPath, [PROGRAM.hpsctl, ...words], { env: this.#environment, input });
  }
}

interface SentFile {
  readonly digest: string;
  readonly sizeBytes: bigint;
  readonly indexOffset: bigint;
  readonly indexBytes: bigint;
}

function indexedFile({ digest, sizeBytes, indexOffset, indexBytes }: SentFile) {
  return {
    digest,
    sizeBytes: Number(sizeBytes),
    indexOffset: Number(indexOffset),
    indexBytes: Number(indexBytes),
  };
}
