import type { WindowSize } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { SessionNoticeKind } from "../../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { SessionRow } from "../../store/sessions.ts";
import type { OperatorOutput, Participant, ShellInput } from "./participant.ts";
import { sizeOfPiece } from "./piece.ts";
import { operatorExit } from "./session-outcome.ts";

/** How the waiting ended. */
export type Decision =
  | { readonly kind: "approved"; readonly by: string }
  /** Nothing begins: why is told to the operator and written down. */
  | { readonly kind: "over"; readonly reason: string; readonly error?: HpsError };

export interface WaitingDeps {
  readonly row: SessionRow;
  /** What the operator is told at once. */
  readonly asking: string;
  /** Begins the session itself. */
  readonly begin: (approver: string) => Promise<Participant>;
  /** It will not begin: called once. */
  readonly onOver: (reason: string) => Promise<void>;
}

/** What a command's standard input holds. */
type Kept = Extract<ShellInput, { case: "input" | "endOfInput" }>;

/** Of what is piped in; beyond it the pipe waits, and signals behind it. */
const MOST_KEPT = 256 * 1024;
/** SIGHUP, SIGINT, SIGQUIT, SIGTERM: no program is there to take them. */
const ENDS: readonly number[] = [1, 2, 3, 15];
const CTRL_C = 3;
const CTRL_D = 4;

/** The operator's end of a session that waits for another operator's word: then it is that of the session itself. */
export class WaitingSession implements Participant {
  readonly id = newUuid();
  readonly session: SessionRow;
  readonly output: AsyncIterable<OperatorOutput>;
  readonly #deps: WaitingDeps;
  readonly #decision = Promise.withResolvers<Decision>();
  /** The session, or undefined when there will be none. */
  readonly #begun: Promise<Participant | undefined>;
  #real: Participant | undefined;
  #window: WindowSize | undefined;
  readonly #kept: Kept[] = [];
  #keptBytes = 0;
  #flushed: Promise<void> | undefined;

  constructor(deps: WaitingDeps) {
    this.#deps = deps;
    this.session = deps.row;
    this.#begun = this.#carryOut();
    this.#begun.catch(() => undefined);
    this.output = this.#tell();
  }

  /** Resolves once the waiting is over and written down, or the session has begun. */
  get settled(): Promise<unknown> {
    return this.#begun.catch(() => undefined);
  }

  /** The first counts. */
  decide(decision: Decision): void {
    this.#decision.resolve(decision);
  }

  async send(input: ShellInput): Promise<void> {
    if (this.#real !== undefined) {
      if (input.case !== "leave") await this.#flushed;
      return await this.#real.send(input);
    }
    switch (input.case) {
      case "window":
        this.#window = input.value;
        return;
      case "leave":
        return this.decide(gaveUp());
      case "detach":
      case "admit":
        throw new HpsError("invalid", "the session has not begun: it waits for approval");
      case "signal":
        return ENDS.includes(input.value) ? this.decide(gaveUp()) : undefined;
      default:
        return await this.#sendLater(input);
    }
  }

  leave(reason: string): void {
    this.decide({ kind: "over", reason: `${reason} while it waited for approval` });
    void this.settled.then(() => this.#real?.leave(reason));
  }

  refuse(error: HpsError): void {
    this.decide({ kind: "over", reason: error.message, error });
    void this.settled.then(() => this.#real?.refuse(error));
  }

  /** A pipe's bytes wait. Keys at a terminal that is not there go nowhere, but for those that mean: no more. */
  async #sendLater(input: Kept): Promise<void> {
    if (this.session.command.length > 0) {
      this.#kept.push(input);
      this.#keptBytes += sizeOfPiece(input);
      if (this.#keptBytes > MOST_KEPT) await this.settled;
    } else if (input.case === "input" && (input.value.includes(CTRL_C) || input.value.includes(CTRL_D))) {
      this.decide(gaveUp());
    }
  }

  /** Whether anybody reads what it is told or not. */
  async #carryOut(): Promise<Participant | undefined> {
    const decision = await this.#decision.promise;
    if (decision.kind === "over") {
      await this.#deps.onOver(decision.reason);
      return undefined;
    }
    try {
      const real = await this.#deps.begin(decision.by);
      this.#real = real;
      if (this.#window !== undefined) await real.send({ case: "window", value: this.#window });
      // Beside the output: a program may want to be read before it reads.
      this.#flushed = this.#flush(real);
      return real;
    } catch (error) {
      await this.#deps.onOver(error instanceof HpsError ? error.message : "internal error");
      throw error;
    }
  }

  async #flush(real: Participant): Promise<void> {
    try {
      for (const input of this.#kept.splice(0)) await real.send(input);
    } catch (error) {
      real.refuse(error instanceof HpsError ? error : new HpsError("internal", "the session broke"));
    }
  }

  async *#tell(): AsyncGenerator<OperatorOutput, void> {
    yield notice(this.#deps.asking);
    const decision = await this.#decision.promise;
    if (decision.kind === "approved") yield notice(`${decision.by} approved it`);
    const real = await this.#begun;
    if (real !== undefined) {
      yield* real.output;
    } else if (decision.kind === "over") {
      if (decision.error !== undefined) throw decision.error;
      yield { case: "exit", value: operatorExit({ code: null, signal: 0, reason: decision.reason }) };
    }
  }
}

function notice(text: string): OperatorOutput {
  return { case: "notice", value: { kind: SessionNoticeKind.APPROVAL, text, participant: "" } };
}

function gaveUp(): Decision {
  return { kind: "over", reason: "the operator gave up while it waited for approval" };
}
