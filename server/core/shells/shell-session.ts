import { BoundedQueue } from "../../../proto/flow/bounded-queue.ts";
import type { ServeShellRequest, ServeShellResponse, ShellExit } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseSignal, parseWindowSize } from "../../../proto/values/terminal.ts";
import type { SessionRow } from "../../store/sessions.ts";
import type { Recorder } from "./recorder.ts";
import type { FileDigest } from "./recording-file.ts";
import { type Outcome, operatorExit, outcomeOf } from "./session-outcome.ts";
import { Traffic } from "./traffic.ts";

/** What goes to the program. */
export type ShellInput = Exclude<ServeShellResponse["message"], { case: undefined }>;
/** What comes from it. */
export type ShellOutput = Exclude<ServeShellRequest["message"], { case: undefined } | { case: "session" }>;
/** What the operator is sent. */
export type OperatorOutput =
  | Exclude<ShellOutput, { case: "exit" }>
  | { readonly case: "exit"; readonly value: Pick<ShellExit, "code" | "signal" | "reason"> };

/** Of each direction; with what is on its way, a session stays far below 4 MiB. */
const CAPACITY = 512 * 1024;
/** The largest piece either side sends. */
const MAX_PIECE_BYTES = 256 * 1024;

/** What is known of a session once it is over. */
export interface SessionEnding extends Outcome {
  readonly recording: FileDigest;
  readonly traffic: Readonly<Record<string, string>>;
}

export interface ShellSessionOptions {
  readonly row: SessionRow;
  readonly recorder: Recorder;
  /** Called once; must not throw. */
  readonly onEnd: (session: ShellSession, ending: SessionEnding) => Promise<void>;
}

/** One session while it is open: the agent's end, the recording, the operator's end. */
export class ShellSession {
  readonly row: SessionRow;
  readonly recorder: Recorder;
  readonly toAgent = new BoundedQueue<ShellInput>({ capacity: CAPACITY, sizeOf: sizeOfPiece });
  readonly toOperator = new BoundedQueue<OperatorOutput>({ capacity: CAPACITY, sizeOf: sizeOfPiece });
  readonly #onEnd: ShellSessionOptions["onEnd"];
  readonly #traffic: Traffic;
  readonly #served = Promise.withResolvers<void>();
  readonly #left = Promise.withResolvers<void>();
  #isServed = false;
  #inFlight = 0;
  #noticed = false;
  #ending: Promise<void> | undefined;

  constructor({ row, recorder, onEnd }: ShellSessionOptions) {
    this.row = row;
    this.recorder = recorder;
    this.#onEnd = onEnd;
    this.#traffic = new Traffic({ hashed: row.command.length > 0 });
    this.#served.promise.catch(() => undefined);
  }

  /** Bytes held here now, in both directions. */
  get bufferedBytes(): number {
    return this.toAgent.size + this.toOperator.size + this.#inFlight;
  }

  /** Resolves when the agent is there; rejects when the session ends before. */
  get served(): Promise<void> {
    return this.#served.promise;
  }

  /** Resolves when the operator has been told all, or is gone. */
  get operatorGone(): Promise<void> {
    return this.#left.promise;
  }

  /** The agent is there: once. `precondition` for a second. */
  serve(): void {
    if (this.#isServed) throw new HpsError("precondition", `session ${this.row.id} is served already`);
    this.#isServed = true;
    this.#served.resolve();
  }

  /** Resolves when there is room for more. `invalid` for what no session takes. */
  async fromOperator(message: ShellInput): Promise<void> {
    if (message.case === "input") {
      checkPiece(message.value, "input");
      this.#traffic.count("input", message.value);
    }
    if (message.case === "signal") parseSignal(message.value);
    if (message.case === "window") await this.recorder.resize(parseWindowSize(message.value));
    await this.#hold(message, async () => await this.toAgent.put(message));
  }

  /** Resolves when it is recorded and the operator's end has room for more. `invalid` for a piece that is too large. */
  async fromAgent(message: ShellOutput): Promise<void> {
    if (message.case === "exit") {
      await this.end(outcomeOf(message.value));
      return;
    }
    checkPiece(message.value, "output");
    await this.#hold(message, async () => await this.#record(message));
  }

  /** The operator is told all, or is gone. Ends the session when it is not over. */
  operatorLeft(reason: string): void {
    void this.toOperator.return();
    this.#left.resolve();
    void this.end({ code: null, signal: 0, reason });
  }

  /** Ends the operator's call with this error, and the session. */
  refuseOperator(error: HpsError): void {
    this.toOperator.end(error);
    void this.end({ code: null, signal: 0, reason: error.message });
  }

  /** The first end counts. Resolves when recording, row and audit are written; the operator is told after that. */
  end(outcome: Outcome): Promise<void> {
    this.#ending ??= this.#finish(outcome);
    return this.#ending;
  }

  async #finish(outcome: Outcome): Promise<void> {
    // The agent's stream ends with its queue, and the agent ends what it runs.
    void this.toAgent.return();
    this.#served.reject(new HpsError("unavailable", outcome.reason || "the session has ended"));
    const traffic = this.#traffic.summary();
    const recording = await this.recorder.finish({ code: outcome.code, reason: outcome.reason, traffic });
    const reason = outcome.reason || (this.recorder.refusal?.message ?? "");
    await this.#onEnd(this, { ...outcome, reason, recording, traffic });
    void this.#tellOperator(operatorExit({ ...outcome, reason }));
  }

  async #tellOperator(value: Pick<ShellExit, "code" | "signal" | "reason">): Promise<void> {
    await this.#notice();
    await this.toOperator.put({ case: "exit", value });
    this.toOperator.end();
  }

  /** Nothing goes to the operator that is not recorded first. */
  async #record(message: Exclude<ShellOutput, { case: "exit" }>): Promise<void> {
    if (this.#ending !== undefined) return;
    const { value } = message;
    const kind = this.row.command.length === 0 ? "output" : message.case;
    this.#traffic.count(kind, value);
    try {
      await this.recorder.output(kind, value);
    } catch (error) {
      await this.end({ code: null, signal: 0, reason: error instanceof HpsError ? error.message : "recording failed" });
      return;
    }
    await this.#notice();
    await this.toOperator.put({ case: kind, value });
  }

  /** Under best-effort, once, as soon as something is shown that is not recorded. */
  async #notice(): Promise<void> {
    if (this.#noticed || this.recorder.complete || this.recorder.refusal !== undefined) return;
    this.#noticed = true;
    const isTerminal = this.row.command.length === 0;
    const text = isTerminal ? "\r\n*** NOT RECORDED ***\r\n" : "*** NOT RECORDED ***\n";
    await this.toOperator.put({ case: isTerminal ? "output" : "errorOutput", value: Buffer.from(text) });
  }

  async #hold(message: ShellInput | ShellOutput, step: () => Promise<unknown>): Promise<void> {
    const size = sizeOfPiece(message);
    this.#inFlight += size;
    try {
      await step();
    } finally {
      this.#inFlight -= size;
    }
  }
}

function sizeOfPiece({ value }: ShellInput | OperatorOutput): number {
  return value instanceof Uint8Array ? value.length : 0;
}

function checkPiece({ length }: Uint8Array, what: string): void {
  if (length > MAX_PIECE_BYTES) {
    throw new HpsError("invalid", `${length} bytes of ${what} in one message, above ${MAX_PIECE_BYTES}`);
  }
}
