import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AttachResponseSchema, CommandSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { quote } from "../../../proto/values/safe-text.ts";
import { newUuid } from "../../../proto/values/uuid.ts";

export type CommandInit = MessageInitShape<typeof CommandSchema>;
export type AgentCommand = NonNullable<CommandInit["command"]>;
export type AttachResponseInit = MessageInitShape<typeof AttachResponseSchema>;

/** Commands one agent may have unanswered. */
const MAX_PENDING = 32;
/** Of what an agent says about why it did not do something. */
const SHOWN_CHARACTERS = 256;

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (reason: HpsError) => void;
  readonly timer: NodeJS.Timeout;
}

/** Commands that went to one agent and wait for its result. */
export class PendingCommands {
  readonly #waiting = new Map<string, Waiting>();

  /** Sends through `send` and waits. Errors: `precondition` with the agent's own words, `deadline`, `exhausted`. */
  async run(command: AgentCommand, limitMs: number, send: (command: CommandInit) => void): Promise<void> {
    if (this.#waiting.size >= MAX_PENDING) {
      throw new HpsError("exhausted", `the agent has ${MAX_PENDING} commands to answer already`);
    }
    const id = newUuid();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = () => this.#settle(id)?.reject(new HpsError("deadline", "the agent did not answer in time"));
    this.#waiting.set(id, { resolve, reject, timer: setTimeout(late, limitMs) });
    send({ id, command });
    await promise;
  }

  /** A result for a command that nobody waits for any more is ignored. */
  answered(id: string, error: string): void {
    const waiting = this.#settle(id);
    if (error === "") waiting?.resolve();
    else waiting?.reject(new HpsError("precondition", `the agent did not do it: ${quote(error, SHOWN_CHARACTERS)}`));
  }

  /** The agent is gone. */
  failAll(reason: HpsError): void {
    for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(reason);
  }

  #settle(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    clearTimeout(waiting?.timer);
    return waiting;
  }
}
