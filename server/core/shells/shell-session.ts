import { BoundedQueue } from "../../../proto/flow/bounded-queue.ts";
import type { ShellExit } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseSignal, parseWindowSize } from "../../../proto/values/terminal.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { SessionRow } from "../../store/sessions.ts";
import { AgentFeed } from "./agent-feed.ts";
import type { OperatorOutput, Participant, ShellInput, ShellOutput } from "./participant.ts";
import type { Recorder } from "./recorder.ts";
import type { FileDigest } from "./recording-file.ts";
import { type Outcome, operatorExit, outcomeOf } from "./session-outcome.ts";
import { Traffic } from "./traffic.ts";

/** With what is on its way and what waits for the agent, a session stays far below 4 MiB. */
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

/** One session while it is open: the agent's end, the recording, and the operator who takes part. */
export class ShellSession {
  readonly row: SessionRow;
  readonly recorder: Recorder;
  /** The operator who began it. */
  readonly owner: Participant;
  readonly toAgent = new AgentFeed();
  readonly #toOwner = new BoundedQueue<OperatorOutput>({ capacity: CAPACITY, sizeOf: sizeOfPiece });
  readonly #onEnd: ShellSessionOptions["onEnd"];
  readonly #traffic: Traffic;
  readonly #served = Promise.withResolvers<void>();
  readonly #left = Promise.withResolvers<void>();
  #isServed = false;
  #inFlight = 0;
  #recorded = 0;
  #noticed = false;
  #ending: Promise<void> | undefined;

  constructor({ row, recorder, onEnd }: ShellSessionOptions) {
    this.row = row;
    this.recorder = recorder;
    this.#onEnd = onEnd;
    this.#traffic = new Traffic({ hashed: row.command.length > 0 });
    this.#served.promise.catch(() => undefined);
    this.owner = {
      ...{ id: newUuid(), session: row, output: this.#toOwner },
      send: async (input) => await this.#fromOwner(input),
      leave: (reason) => this.#ownerLeft(reason),
      refuse: (error) => this.#refuseOwner(error),
    };
  }

  /** Bytes held here now, in both directions. */
  get bufferedBytes(): number {
    return this.toAgent.size + this.#toOwner.size + this.#inFlight;
  }

  /** Resolves when the agent is there; rejects when the session ends before. */
  get served(): Promise<void> {
    return this.#served.promise;
  }

  /** Resolves when everybody who takes part has been told all, or is gone. */
  get allGone(): Promise<void> {
    return this.#left.promise;
  }

  /** The agent is there: once. `precondition` for a second. */
  serve(): void {
    if (this.#isServed) throw new HpsError("precondition", `session ${this.row.id} is served already`);
    this.#isServed = true;
    this.#served.resolve();
  }

  /** Resolves when it is recorded and the participant has room for more. `invalid` for a piece that is too large. */
  async fromAgent(message: ShellOutput): Promise<void> {
    if (message.case === "exit") {
      await this.end(outcomeOf(message.value));
      return;
    }
    checkPiece(message.value, "output");
    await this.#hold(message, async () => await this.#record(message));
  }

  /** The first end counts. Resolves when recording, row and audit are written; the operator is told after that. */
  end(outcome: Outcome): Promise<void> {
    this.#ending ??= this.#finish(outcome);
    return this.#ending;
  }

  async #fromOwner(message: ShellInput): Promise<void> {
    if (message.case === "input") {
      checkPiece(message.value, "input");
      this.#traffic.count("input", message.value);
    }
    if (message.case === "signal") parseSignal(message.value);
    if (message.case === "window") await this.recorder.resize(parseWindowSize(message.value));
    await this.#hold(message, async () => await this.toAgent.put(message));
  }

  #ownerLeft(reason: string): void {
    void this.#toOwner.return();
    this.#left.resolve();
    void this.end({ code: null, signal: 0, reason });
  }

  #refuseOwner(error: HpsError): void {
    this.#toOwner.end(error);
    void this.end({ code: null, signal: 0, reason: error.message });
  }

  async #finish(outcome: Outcome): Promise<void> {
    // The agent's stream ends with its queue, and the agent ends what it runs.
    void this.toAgent.return();
    this.#served.reject(new HpsError("unavailable", outcome.reason || "the session has ended"));
    const traffic = this.#traffic.summary();
    const recording = await this.recorder.finish({ code: outcome.code, reason: outcome.reason, traffic });
    const reason = outcome.reason || (this.recorder.refusal?.message ?? "");
    await this.#onEnd(this, { ...outcome, reason, recording, traffic });
    void this.#tellOwner(operatorExit({ ...outcome, reason }));
  }

  async #tellOwner(value: Pick<ShellExit, "code" | "signal" | "reason">): Promise<void> {
    await this.#notice();
    await this.#toOwner.put({ case: "exit", value });
    this.#toOwner.end();
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
    this.#recorded += value.length;
    if (this.row.command.length === 0) this.toAgent.recorded(this.#recorded);
    await this.#notice();
    await this.#toOwner.put({ case: kind, value });
  }

  /** Under best-effort, once, as soon as something is shown that is not recorded. */
  async #notice(): Promise<void> {
    if (this.#noticed || this.recorder.complete || this.recorder.refusal !== undefined) return;
    this.#noticed = true;
    const isTerminal = this.row.command.length === 0;
    const text = isTerminal ? "\r\n*** NOT RECORDED ***\r\n" : "*** NOT RECORDED ***\n";
    await this.#toOwner.put({ case: isTerminal ? "output" : "errorOutput", value: Buffer.from(text) });
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
