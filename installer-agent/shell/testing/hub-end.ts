/** The server's end of one shell session in memory, over as many streams as it takes. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Bell } from "../../../proto/flow/bell.ts";
import { BoundedQueue } from "../../../proto/flow/bounded-queue.ts";
import {
  type ResumeShell,
  ResumeShellSchema,
  type ServeShellRequestSchema,
  type ServeShellResponse,
  ServeShellResponseSchema,
  type ShellExit,
  ShellExitSchema,
} from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { ServeShell } from "../served-session.ts";

type Request = MessageInitShape<typeof ServeShellRequestSchema>;
export type Response = NonNullable<MessageInitShape<typeof ServeShellResponseSchema>["message"]>;

/** As hpsd does it: input that the program has not taken, beyond which no more is sent. */
const AHEAD = 256 * 1024;
const RECORDED_STEP = 32 * 1024;

export class HubEnd {
  readonly outputs: Buffer[] = [];
  readonly errorOutputs: Buffer[] = [];
  /** Of each stream after the first. */
  readonly resumed: ResumeShell[] = [];
  readonly changed = new Bell();
  readonly #exit = Promise.withResolvers<ShellExit>();
  readonly #isTerminal: boolean;
  #stream = openQueue();
  #received = 0;
  #told = 0;
  #sentInput = 0;
  #takenInput = 0;
  #gate = Promise.resolve();
  #openGate = () => {};
  /** What a stream that goes on is answered; by default what is here. */
  onResume: (resume: ResumeShell) => Response = () => ({ case: "recorded", value: BigInt(this.#received) });
  /** Throws instead of opening a stream. */
  refusal: HpsError | undefined;

  constructor(isTerminal: boolean) {
    this.#isTerminal = isTerminal;
  }

  readonly serve: ServeShell = (requests, options) => this.#serve(requests, options?.signal);

  get exit(): Promise<ShellExit> {
    return this.#exit.promise;
  }

  /** Bytes of output. */
  get received(): number {
    return this.#received;
  }

  async send(message: Response): Promise<void> {
    while (message.case === "input" && this.#sentInput - this.#takenInput >= AHEAD) await this.changed.rung;
    if (message.case === "input") this.#sentInput += message.value?.length ?? 0;
    await this.push(message);
  }

  /** Whatever the rules are. */
  async push(message: Response): Promise<void> {
    await this.#stream.put(create(ServeShellResponseSchema, { message }));
  }

  /** Ends the session. */
  hangUp(): void {
    this.#stream.end();
  }

  /** The stream is lost; what was on its way here, too. */
  cut(error = new HpsError("unavailable", "the link was cut")): void {
    this.#stream.end(error);
  }

  pause(): void {
    this.#gate = new Promise((resolve) => {
      this.#openGate = resolve;
    });
  }

  resume(): void {
    this.#gate = Promise.resolve();
    this.#openGate();
  }

  async *#serve(requests: AsyncIterable<Request>, signal?: AbortSignal) {
    if (this.refusal !== undefined) throw this.refusal;
    const stream = openQueue();
    this.#stream = stream;
    const abort = () => stream.end(new HpsError("cancelled", "the agent cancelled"));
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    this.#readAll(requests, stream).catch((error: unknown) => stream.end(error));
    try {
      yield* stream;
    } finally {
      await stream.return();
    }
  }

  async #readAll(requests: AsyncIterable<Request>, stream: BoundedQueue<ServeShellResponse>): Promise<void> {
    for await (const { message } of requests) {
      await this.#gate;
      if (stream.hasEnded) return;
      await this.#take(message);
      this.changed.ring();
    }
    if (!stream.hasEnded) stream.end();
  }

  async #take(message: Request["message"]): Promise<void> {
    if (message?.case === "output") {
      this.outputs.push(Buffer.from(message.value));
      this.#received += message.value.length;
      if (this.#isTerminal && this.#received - this.#told >= RECORDED_STEP) {
        this.#told = this.#received;
        await this.push({ case: "recorded", value: BigInt(this.#received) });
      }
    }
    if (message?.case === "errorOutput") this.errorOutputs.push(Buffer.from(message.value));
    if (message?.case === "inputTaken") this.#takenInput = Number(message.value);
    if (message?.case === "exit") this.#exit.resolve(create(ShellExitSchema, message.value));
    if (message?.case === "resume") {
      const resume = create(ResumeShellSchema, message.value);
      this.#sentInput = Number(resume.inputOffset);
      this.resumed.push(resume);
      await this.push(this.onResume(resume));
    }
  }
}

function openQueue(): BoundedQueue<ServeShellResponse> {
  return new BoundedQueue({ capacity: 1024 * 1024, sizeOf: () => 0 });
}
