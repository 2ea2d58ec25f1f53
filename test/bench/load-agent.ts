/** One agent of the load: a connection and a stream of its own, its numbered events, and when each was acknowledged. */
import { randomUUID } from "node:crypto";
import type { ClientHttp2Stream } from "node:http2";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { AttachRequestSchema, AttachResponseSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { FleetAgent } from "./fleet.ts";
import { framed, onMessages, openConnection, startCall } from "./grpc-connection.ts";

type RequestInit = NonNullable<MessageInitShape<typeof AttachRequestSchema>["message"]>;
type EventInit = NonNullable<Extract<RequestInit, { case: "event" }>["value"]["event"]>;

const STEPS = [
  "clock",
  "network",
  "configuration",
  "storage",
  "image",
  "bootloader",
  "target-network",
  "logs",
  "finish",
];
/** Events of one step: it starts, goes on, and succeeds. */
const EVENTS_A_STEP = 40;
const PATH = { hpsd: "/hps.v1.AgentService/Attach", bare: "/bare.Bare/Exchange" } as const;

const frameOf = (message: RequestInit) =>
  framed(toBinary(AttachRequestSchema, create(AttachRequestSchema, { message })));
const HEARTBEAT = frameOf({ case: "heartbeat", value: { backlog: 0 } });

export interface LoadAgentOptions {
  readonly agent: FleetAgent;
  readonly ca: string;
  readonly port: number;
  readonly localAddress: string;
  readonly target: "hpsd" | "bare";
  /** Called with the write and the acknowledgement of each event; `performance.now()`. */
  readonly onAcknowledged: (sentAt: number, at: number) => void;
  readonly onEnd: (reason: string) => void;
}

export class LoadAgent {
  readonly installing: boolean;
  readonly attached: Promise<void>;
  readonly #options: LoadAgentOptions;
  readonly #stream: ClientHttp2Stream;
  readonly #unacknowledged: number[] = [];
  #sent = 0;
  #acknowledged = 0;
  #welcomed = false;

  constructor(options: LoadAgentOptions) {
    const { agent, target, onEnd } = options;
    this.#options = options;
    this.installing = agent.installationId !== "";
    const session = openConnection({ ...agent, ...options });
    session.on("error", (error) => onEnd(error.message));
    this.#stream = startCall(session, PATH[target]);
    this.#stream.on("error", (error) => onEnd(error.message));
    this.#stream.on("close", () => onEnd("the stream closed"));
    this.#stream.on("trailers", (trailers) => onEnd(`status ${trailers["grpc-status"]}: ${trailers["grpc-message"]}`));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.attached = promise;
    onMessages(this.#stream, (message) => this.#received(message, resolve));
    this.#stream.write(frameOf({ case: "hello", value: this.#hello() }));
  }

  get lost(): number {
    return this.#unacknowledged.length;
  }

  heartbeat(): void {
    this.#stream.write(HEARTBEAT);
  }

  /** The next event of an installation that goes on for ever. */
  event(): void {
    const event = this.#sent === 0 ? plan() : workEvent(this.#sent - 1);
    this.#sent += 1;
    const message = { case: "event", value: { sequence: BigInt(this.#sent), time: timestampNow(), event } } as const;
    const frame = frameOf(message);
    this.#unacknowledged.push(performance.now());
    this.#stream.write(frame);
  }

  #hello() {
    const boot = { slot: "a", kernel: "6.1.0", image: "debian:12", healthy: true };
    return { runId: randomUUID(), version: "0.1.0", ...(!this.installing && { boot }) };
  }

  #received(bytes: Buffer, welcomed: () => void): void {
    if (!this.#welcomed) {
      this.#welcomed = true;
      welcomed();
      return;
    }
    const at = performance.now();
    const upTo = this.#options.target === "bare" ? this.#acknowledged + 1 : acknowledgedBy(bytes);
    for (; this.#acknowledged < upTo; this.#acknowledged += 1) {
      const sentAt = this.#unacknowledged.shift();
      if (sentAt !== undefined) this.#options.onAcknowledged(sentAt, at);
    }
  }
}

function acknowledgedBy(bytes: Buffer): number {
  const { message } = fromBinary(AttachResponseSchema, bytes);
  return message.case === "acknowledgement" ? Number(message.value.sequence) : 0;
}

const plan = (): EventInit => ({ case: "plan", value: { steps: STEPS } });

/** After the last step the first starts again, as it does when an operator retries. */
function workEvent(number: number): EventInit {
  const step = STEPS[Math.floor(number / EVENTS_A_STEP) % STEPS.length] ?? "clock";
  const at = number % EVENTS_A_STEP;
  if (at === 0) return { case: "stepStarted", value: { step } };
  if (at === EVENTS_A_STEP - 1) return { case: "stepSucceeded", value: { step } };
  return { case: "stepProgress", value: { step, done: BigInt(at) * 1_000_000n, total: 40_000_000n, unit: "bytes" } };
}
