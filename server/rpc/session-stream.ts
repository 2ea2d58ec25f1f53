import { create } from "@bufbuild/protobuf";
import { settlesWithin } from "../../proto/flow/time-limit.ts";
import { EndOfInputSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { AttachSessionRequest, OpenSessionRequest } from "../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Participant, ShellInput } from "../core/shells/participant.ts";
import type { Shells } from "../core/shells/shells.ts";
import { sessionMessage } from "./session-message.ts";

/** For an operator that has been told all to end its call, as it does at once when it reads on. */
const LAST_MS = 60_000;

type Request = OpenSessionRequest | AttachSessionRequest;

export interface SessionStream {
  readonly shells: Shells;
  readonly participant: Participant;
  /** Those after the first. */
  readonly messages: AsyncIterator<Request>;
  /** The operator's call. */
  readonly signal: AbortSignal;
  /** A stream that ends without saying so is the end of input too: not a terminal's, whose lost client has not typed Ctrl-D. */
  readonly endsInput: boolean;
}

/** Carries one participant's call: what it sends to the session, and all it is sent. */
export async function* sessionStream(stream: SessionStream) {
  const { shells, participant, signal } = stream;
  const { session, id } = participant;
  const leave = () => goneFrom(participant, signal);
  signal.addEventListener("abort", leave, { once: true });
  try {
    const value = sessionMessage(session, shells.live(session.id));
    yield { message: { case: "session" as const, value }, participant: id };
    const reading = readInput(stream);
    for await (const output of participant.output) yield { message: output };
    // A call that ends while the operator still sends is broken off over there, with all that was not read yet.
    await settlesWithin(reading, LAST_MS);
  } finally {
    signal.removeEventListener("abort", leave);
    leave();
  }
}

/**
 * A certificate that opens nothing any more throws its operator out. Else its session waits for it: cut off, with an expired
 * certificate that may be renewed, with other roles that are judged where they matter.
 */
function goneFrom(participant: Participant, { reason }: AbortSignal): void {
  const isOut = reason instanceof HpsError && reason.code === "unauthenticated" && reason.details.reason !== undefined;
  if (isOut) participant.refuse(new HpsError(reason.code, `the operator's call was ended: ${reason.message}`));
  participant.leave("the operator went away");
}

async function readInput({ participant, messages, signal, endsInput }: SessionStream): Promise<void> {
  let ended = !endsInput;
  try {
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
      const input = inputOf(next.value);
      ended ||= input.case === "endOfInput";
      await participant.send(input);
    }
    if (!ended && !signal.aborted) await participant.send({ case: "endOfInput", value: create(EndOfInputSchema) });
  } catch (error) {
    // Then it is the call that broke, not a message that was wrong.
    if (signal.aborted) return;
    participant.refuse(error instanceof HpsError ? error : new HpsError("internal", "the session broke"));
  }
}

function inputOf({ message }: Request): ShellInput {
  if (message.case === undefined) throw new HpsError("invalid", "a message of the session is empty or not known");
  if (message.case === "start" || message.case === "attach") throw new HpsError("invalid", "a session is begun once");
  return message;
}
