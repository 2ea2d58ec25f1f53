import { X509Certificate } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { certificateIdentity } from "../../certs/certificate-identity.ts";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { ID, makePeer, PEERS, type TestChain } from "../../certs/test-chain.ts";
import {
  AgentService,
  type AttachRequest,
  type AttachResponseSchema,
  type ConfigurationSchema,
  type Hello,
  type ServeShellRequest,
  type ServeShellResponseSchema,
} from "../../proto/gen/hps/v1/agent_pb.ts";
import { RpcServer } from "../../proto/rpc/rpc-server.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { Queue } from "./queue.ts";

export const HOST_ID = "01900000-0000-7000-8000-0000000000aa";

type EchoedInput = MessageInitShape<typeof ServeShellResponseSchema>;
type Response = MessageInitShape<typeof AttachResponseSchema>;

/** One Attach as hpsd sees it. */
export interface Attached {
  readonly hello: Hello;
  readonly certificate: X509Certificate;
  readonly down: Queue<Response>;
  /** All that came, Hello apart. */
  readonly up: AttachRequest["message"][];
  ended: boolean;
}

export interface WelcomeChanges {
  readonly hostId?: string;
  readonly installation?: string;
  readonly proceed?: boolean;
  readonly doneSteps?: string[];
  readonly rebootPaused?: boolean;
  readonly finished?: boolean;
}

/** What becomes of a numbered message: taken and acknowledged, or the connection is cut before or after it is taken. */
export type Fate = "taken" | "cut-before" | "cut-after";

/** Gives back as input what the agent's end sends as output. */
async function* echoShell(requests: AsyncIterable<ServeShellRequest>): AsyncIterable<EchoedInput> {
  for await (const { message } of requests) {
    if (message.case === "output") yield { message: { case: "input", value: message.value } };
  }
}

/** hpsd's side of Attach in a test: numbers, acknowledgements, commands. Real TLS, real gRPC. */
export class AttachDoor {
  readonly attaches: Attached[] = [];
  /** What was taken of each run, in order. */
  readonly runs = new Map<string, AttachRequest["message"][]>();
  readonly problems: string[] = [];
  fate: () => Fate = () => "taken";
  welcome: WelcomeChanges = {};
  configuration: MessageInitShape<typeof ConfigurationSchema> = {};
  refusal: HpsError | undefined;
  serveShell: (
    requests: AsyncIterable<ServeShellRequest>,
    call: { readonly signal: AbortSignal },
  ) => AsyncIterable<EchoedInput> = echoShell;
  readonly #chain: TestChain;
  readonly #waiters = new Set<() => void>();
  #server: RpcServer<X509Certificate> | undefined;

  constructor(chain: TestChain) {
    this.#chain = chain;
  }

  /** Starts on `port`, 0 for a free one. */
  async listen(port = 0): Promise<number> {
    const server = new RpcServer<X509Certificate>({
      authorize: async ({ peer }) => {
        if (this.refusal !== undefined) throw this.refusal;
        return new X509Certificate(peer.certificateChain[0] ?? Buffer.alloc(0));
      },
      onError: ({ error }) => this.problems.push(String(error)),
    });
    server.add(AgentService, {
      attach: (requests, { principal }) => this.#attach(requests, principal),
      getConfiguration: async ({ hostId }) => ({ hostId, hostName: "web01", cluster: "lab", ...this.configuration }),
      issueHostCertificate: () => Promise.reject(new HpsError("unimplemented", "not in this test")),
      serveShell: (requests, call) => this.serveShell(requests, call),
      renewDirectAccess: () => Promise.reject(new HpsError("unimplemented", "not in this test")),
      // biome-ignore lint/correctness/useYield: it is refused
      deliverRecording: async function* () {
        throw new HpsError("unimplemented", "not in this test");
      },
    });
    const peer = await makePeer(this.#chain, PEERS.server);
    const { key, cert } = tlsKeyPair({ ...peer, intermediates: [this.#chain.intermediate.certificate] });
    this.#server = server;
    return server.listen({ host: "127.0.0.1", port, certificate: { key, chain: cert } });
  }

  async close(): Promise<void> {
    for (const { down } of this.attaches) down.end();
    await this.#server?.stop(500);
  }

  /** Waits until `found` gives something. */
  async until<T>(found: () => T | undefined | false): Promise<T> {
    for (;;) {
      const value = found();
      if (value !== undefined && value !== false) return value;
      await new Promise<void>((resolve) => {
        this.#waiters.add(resolve);
      });
    }
  }

  /** All events of all runs, by their case and step. */
  get events(): string[] {
    return [...this.runs.values()].flat().map((message) => {
      if (message.case === "log") return `log ${Buffer.from(message.value.text).toString()}`;
      const event = message.case === "event" ? message.value.event : undefined;
      const step = event?.value !== undefined && "step" in event.value ? ` ${event.value.step}` : "";
      return `${event?.case}${step}`;
    });
  }

  async *#attach(requests: AsyncIterable<AttachRequest>, certificate: X509Certificate): AsyncGenerator<Response, void> {
    const down = new Queue<Response>();
    void this.#read(requests, certificate, down).then(
      () => down.end(),
      (error: unknown) => down.end(error),
    );
    yield* down;
  }

  async #read(requests: AsyncIterable<AttachRequest>, certificate: X509Certificate, down: Queue<Response>) {
    let attached: Attached | undefined;
    try {
      for await (const { message } of requests) {
        if (attached === undefined) attached = this.#greet(message, certificate, down);
        else this.#take(message, attached);
        this.#tell();
      }
    } finally {
      if (attached !== undefined) attached.ended = true;
      this.#tell();
    }
  }

  #greet(message: AttachRequest["message"], certificate: X509Certificate, down: Queue<Response>): Attached {
    if (message.case !== "hello") throw new HpsError("invalid", "no Hello");
    const attached: Attached = { hello: message.value, certificate, down, up: [], ended: false };
    this.attaches.push(attached);
    const installer = certificateIdentity(certificate).identity.kind === "installer";
    const value = {
      hostId: HOST_ID,
      installation: installer ? ID : "",
      heartbeatInterval: { seconds: 0n, nanos: 50_000_000 },
      serverTime: timestampFromMs(Date.now()),
      acknowledgedSequence: BigInt(this.runs.get(message.value.runId)?.length ?? 0),
      proceed: true,
      ...this.welcome,
    };
    down.push({ message: { case: "welcome", value } });
    return attached;
  }

  #take(message: AttachRequest["message"], { hello, down, up }: Attached): void {
    up.push(message);
    if (message.case !== "event" && message.case !== "log") return;
    const fate = this.fate();
    if (fate === "cut-before") throw new HpsError("unavailable", "cut before commit");
    const run = this.runs.get(hello.runId) ?? [];
    this.runs.set(hello.runId, run);
    const number = Number(message.value.sequence);
    if (number > run.length + 1) this.problems.push(`number ${number} after ${run.length}`);
    if (number === run.length + 1) run.push(message);
    if (fate === "cut-after") throw new HpsError("unavailable", "cut after commit");
    down.push({ message: { case: "acknowledgement", value: { sequence: BigInt(run.length) } } });
  }

  #tell(): void {
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }
}
