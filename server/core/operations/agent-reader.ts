import { durationMs } from "@bufbuild/protobuf/wkt";
import type { AgentEvent, AgentLogLine, AttachRequest, Heartbeat } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Clock } from "../audit/audit.ts";
import type { Attached } from "../presence/presence.ts";
import { parseAgentEvent, parseLogLine, parseSequence } from "./agent-event.ts";
import type { NumberedMessage } from "./agent-messages.ts";
import type { Intake } from "./intake.ts";
import { MAX_STEPS, PROGRESS_JOURNAL_MS } from "./limits.ts";

/** No honest agent lets shells hold a machine longer. */
const LONGEST_HOLD_MS = 24 * 3_600_000;
/** A message costs this much beside its text while it waits. */
const OVERHEAD = 256;

export interface AgentReaderDeps {
  readonly clock: Clock;
  readonly intake: Intake<NumberedMessage>;
  readonly attached: Pick<Attached, "seen" | "held" | "answered">;
}

/** Reads one agent's messages after its Hello, as fast as they are stored. */
export class AgentReader {
  readonly #deps: AgentReaderDeps;
  /** When progress of a step last went to the journal. */
  readonly #journalled = new Map<string, number>();

  constructor(deps: AgentReaderDeps) {
    this.#deps = deps;
  }

  async readAll(iterator: AsyncIterator<AttachRequest>): Promise<void> {
    for (let item = await iterator.next(); item.done !== true; item = await iterator.next()) {
      this.#deps.attached.seen();
      await this.#take(item.value.message);
    }
  }

  async #take(message: AttachRequest["message"]): Promise<void> {
    switch (message.case) {
      case "heartbeat":
        return this.#deps.attached.held(holdOf(message.value));
      case "event":
        return await this.#deps.intake.offer(this.#eventOf(message.value));
      case "log":
        return await this.#deps.intake.offer(lineOf(message.value));
      case "result":
        return this.#deps.attached.answered(message.value.commandId, message.value.error);
      case "hello":
        throw new HpsError("invalid", "an agent says Hello once");
      default:
        throw new HpsError("invalid", "a message is of no known kind", {
          hint: "compare the versions of agent and hpsd",
        });
    }
  }

  #eventOf(message: AgentEvent): NumberedMessage {
    const event = parseAgentEvent(message);
    const content = { kind: "event" as const, event, quiet: this.#isQuiet(event) };
    return { sequence: Number(event.sequence), size: OVERHEAD + sizeOf(event), content };
  }

  #isQuiet({ event }: AgentEvent): boolean {
    if (event.case !== "stepProgress") return false;
    const now = this.#deps.clock();
    const last = this.#journalled.get(event.value.step);
    if (last !== undefined && now - last < PROGRESS_JOURNAL_MS) return true;
    // Names that are in no plan end the stream soon; until then they fill nothing.
    if (this.#journalled.size >= MAX_STEPS) this.#journalled.clear();
    this.#journalled.set(event.value.step, now);
    return false;
  }
}

function lineOf(message: AgentLogLine): NumberedMessage {
  const line = parseLogLine(message);
  const size = OVERHEAD + line.text.length;
  return { sequence: parseSequence(message.sequence), size, content: { kind: "line", ...line } };
}

function sizeOf({ event }: AgentEvent): number {
  if (event.case === "stepFailed") return Buffer.byteLength(event.value.reason);
  if (event.case === "plan") return event.value.steps.length * 64;
  return event.case === "boot" ? Buffer.byteLength(event.value.reason) : 0;
}

function holdOf({ shellsHold }: Heartbeat): number | undefined {
  if (shellsHold === undefined) return undefined;
  const hold = durationMs(shellsHold);
  if (hold >= 0 && hold <= LONGEST_HOLD_MS) return hold;
  throw new HpsError("invalid", `shells hold no restart for ${hold} ms`);
}
