import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { DirectEvent } from "../../proto/direct/chain.ts";
import { Bell } from "../../proto/flow/bell.ts";
import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import {
  EndOfInputSchema,
  type ServeShellRequestSchema,
  type ServeShellResponse,
  ServeShellResponseSchema,
} from "../../proto/gen/hps/v1/agent_pb.ts";
import {
  type OpenSessionRequest,
  type OpenSessionResponseSchema,
  SessionNoticeKind,
} from "../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseSignal, parseWindowSize } from "../../proto/values/terminal.ts";
import type { ServeShell } from "../shell/served-session.ts";
import type { ChainFile } from "./chain-file.ts";

type ToOperator = MessageInitShape<typeof OpenSessionResponseSchema>;
type FromProgram = NonNullable<MessageInitShape<typeof ServeShellRequestSchema>["message"]>;
type ToProgram = NonNullable<MessageInitShape<typeof ServeShellResponseSchema>["message"]>;

export interface DirectSessionOptions {
  readonly recording: ChainFile;
  /** Whether the recording may grow by so much; throws when it may not. */
  readonly admit: (more: number) => void;
  readonly isTerminal: boolean;
  readonly recordInput: boolean;
  /** A terminal is ended when nobody types for so many milliseconds; 0: never. */
  readonly idleLimit: number;
  /** The recording is closed; `isWhole`: with the session's end. */
  readonly onEnd: (isWhole: boolean) => void;
}

/** What an operator who does not read lets pile up. */
const CAPACITY = 256 * 1024;
/** Input beyond what the program has read. */
const AHEAD = 256 * 1024;
/** Room in a recording for each link beside its bytes, and for the end. */
const LINK_BYTES = 128;
const NO_CODE = 255;

/** One session at a host's own door: between the agent's program and one operator, recorded first. What hpsd is else. */
export class DirectSession {
  readonly #options: DirectSessionOptions;
  readonly #toOperator = new BoundedQueue<ToOperator>({ capacity: CAPACITY, sizeOf });
  readonly #toProgram = new BoundedQueue<ServeShellResponse>({ capacity: Number.POSITIVE_INFINITY, sizeOf: () => 0 });
  readonly #taken = new Bell();
  readonly #counts = { input: 0, output: 0, errorOutput: 0 };
  #inputTaken = 0;
  #idle: NodeJS.Timeout | undefined;
  #ending: Promise<void> | undefined;

  constructor(options: DirectSessionOptions) {
    this.#options = options;
    this.#typed();
  }

  /** What goes to the operator, to the exit. */
  get output(): AsyncIterableIterator<ToOperator, undefined> {
    return this.#toOperator;
  }

  /** The program's end: as if this were hpsd. */
  readonly serve: ServeShell = (requests, options) => this.#serve(requests, options?.signal);

  /** What the operator sends. Resolves when there is room for more; throws `invalid` for what makes no sense. */
  async receive({ message }: OpenSessionRequest): Promise<void> {
    switch (message.case) {
      case "input":
        return await this.#input(message.value);
      case "endOfInput":
        return await this.#tell({ case: "endOfInput", value: create(EndOfInputSchema) });
      case "window":
        parseWindowSize(message.value);
        await this.#record({ case: "window", value: message.value });
        return await this.#tell({ case: "window", value: message.value });
      case "signal":
        return await this.#tell({ case: "signal", value: parseSignal(message.value) });
      case "leave":
        return await this.end("the operator left it");
      case "detach":
      case "admit":
        await this.#toOperator.put(
          noticeOf("nobody else takes part in a session past hpsd, and it ends with its client"),
        );
        return;
      default:
        throw new HpsError("invalid", "a message of the session is empty, not known, or begins it twice");
    }
  }

  /** Ends it from outside, with the sentence that says why. */
  async end(reason: string): Promise<void> {
    await this.#finish({ code: NO_CODE, signal: 0, reason });
  }

  async *#serve(
    requests: AsyncIterable<MessageInitShape<typeof ServeShellRequestSchema>>,
    signal?: AbortSignal,
  ): AsyncGenerator<ServeShellResponse, void> {
    const gone = () => void this.end("the program's end was lost");
    signal?.addEventListener("abort", gone, { once: true });
    void this.#read(requests);
    try {
      yield* this.#toProgram;
    } finally {
      signal?.removeEventListener("abort", gone);
    }
  }

  async #read(requests: AsyncIterable<MessageInitShape<typeof ServeShellRequestSchema>>): Promise<void> {
    try {
      for await (const { message } of requests) {
        if (message !== undefined) await this.#fromProgram(message);
        if (this.#ending !== undefined) return;
      }
      await this.end("the program's end was lost");
    } catch (error) {
      await this.end(error instanceof HpsError ? error.message : "the session cannot be recorded on the host");
    }
  }

  async #fromProgram(message: FromProgram): Promise<void> {
    if (message.case === "exit") {
      const { code = NO_CODE, signal = 0, reason = "" } = message.value;
      await this.#finish({ code, signal, reason });
    } else if (message.case === "inputTaken") {
      this.#inputTaken = Number(message.value);
      this.#taken.ring();
    } else if (message.case === "output" || message.case === "errorOutput") {
      const { case: kind, value } = message;
      if (!(await this.#record({ case: kind, value }))) return;
      this.#counts[kind] += value.length;
      const { isTerminal } = this.#options;
      if (isTerminal) await this.#tell({ case: "recorded", value: BigInt(this.#counts.output) });
      await this.#toOperator.put({ message: { case: kind, value } });
    }
  }

  async #input(bytes: Uint8Array): Promise<void> {
    this.#typed();
    const value = new Uint8Array(bytes);
    if (this.#options.recordInput) await this.#record({ case: "input", value });
    await this.#tell({ case: "input", value });
    this.#counts.input += value.length;
    while (this.#ending === undefined && this.#counts.input - this.#inputTaken >= AHEAD) await this.#taken.rung;
  }

  async #tell(message: ToProgram): Promise<void> {
    await this.#toProgram.put(create(ServeShellResponseSchema, { message }));
  }

  /** Nothing is shown, and with `recordInput` nothing is typed, that is not recorded first. False: the recording has its end. */
  async #record(event: DirectEvent & { readonly value: unknown }): Promise<boolean> {
    if (this.#ending !== undefined) return false;
    const size = event.value instanceof Uint8Array ? event.value.length : 0;
    this.#options.admit(size + 2 * LINK_BYTES);
    await this.#options.recording.append(event);
    return true;
  }

  #typed(): void {
    const { idleLimit, isTerminal } = this.#options;
    clearTimeout(this.#idle);
    if (idleLimit === 0 || !isTerminal || this.#ending !== undefined) return;
    this.#idle = setTimeout(() => void this.end(`nobody typed for ${idleLimit / 1000} s`), idleLimit).unref();
  }

  #finish(exit: SaidExit): Promise<void> {
    this.#ending ??= this.#close(exit);
    return this.#ending;
  }

  async #close(exit: SaidExit): Promise<void> {
    clearTimeout(this.#idle);
    this.#taken.ring();
    // The agent's end of it ends with this stream, and what it runs with that.
    this.#toProgram.end();
    const { recording, onEnd } = this.#options;
    const isWhole = await this.#sealed(exit).then(
      () => true,
      () => false,
    );
    onEnd(isWhole);
    const text = isWhole
      ? `recorded on the host: ${recording.digest}`
      : "the end of the session could not be recorded on the host";
    void this.#sayLast(text, exit);
  }

  /** After what the operator has not read yet, however slowly that goes. */
  async #sayLast(text: string, value: SaidExit): Promise<void> {
    await this.#toOperator.put(noticeOf(text));
    await this.#toOperator.put({ message: { case: "exit", value } });
    this.#toOperator.end();
  }

  async #sealed(exit: SaidExit): Promise<void> {
    const { input, output, errorOutput } = this.#counts;
    const bytes = {
      inputBytes: BigInt(input),
      outputBytes: BigInt(output),
      errorOutputBytes: BigInt(errorOutput),
    };
    const { recording } = this.#options;
    try {
      await recording.append({ case: "end", value: { exit, ...bytes } });
    } finally {
      await recording.close();
    }
  }
}

interface SaidExit {
  readonly code: number;
  readonly signal: number;
  readonly reason: string;
}

function noticeOf(text: string): ToOperator {
  return { message: { case: "notice", value: { kind: SessionNoticeKind.RECORDING, text } } };
}

function sizeOf({ message }: ToOperator): number {
  return message?.case === "output" || message?.case === "errorOutput" ? (message.value?.length ?? 0) : 0;
}
