import type { AgentService, ServeShellRequest } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Handler } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { ShellSession } from "../core/shells/shell-session.ts";
import type { Shells } from "../core/shells/shells.ts";
import { firstMessage } from "./first-message.ts";

export interface ServeShellDeps {
  readonly access: Access;
  readonly shells: Shells;
}

/** AgentService.ServeShell: the agent's end of one session of its own host. */
export function serveShell({ access, shells }: ServeShellDeps): Handler<typeof AgentService.method.serveShell, Caller> {
  return async function* (requests, { principal: caller, signal }) {
    const messages = requests[Symbol.asyncIterator]();
    const { message } = await firstMessage(messages);
    const { id } = await access.session(caller, parseUuid(sessionOf(message)));
    const session = shells.serve(id);
    const gone = () => endOf(session, whyGone(signal));
    signal.addEventListener("abort", gone, { once: true });
    try {
      void readOutput(session, messages);
      for await (const input of session.toAgent) yield { message: input };
    } finally {
      signal.removeEventListener("abort", gone);
      gone();
    }
  };
}

/** A host that may do nothing any more has not just lost its connection. */
function whyGone({ reason }: AbortSignal): string {
  const isOut = reason instanceof HpsError && reason.code === "unauthenticated" && reason.details.reason !== undefined;
  return isOut ? `the host was thrown out: ${reason.message.replace(/^your /, "its ")}` : "the agent went away";
}

function sessionOf(message: ServeShellRequest["message"]): string {
  if (message.case === "session") return message.value;
  if (message.case === "resume") return message.value.session;
  throw new HpsError("invalid", "the first message names no session");
}

async function readOutput(session: ShellSession, messages: AsyncIterator<ServeShellRequest>): Promise<void> {
  try {
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
      const { message } = next.value;
      if (message.case === undefined) continue;
      if (message.case === "session" || message.case === "resume") {
        throw new HpsError("invalid", "a second session in one stream");
      }
      if (message.case === "inputTaken") session.toAgent.inputTaken(message.value);
      else await session.fromAgent(message);
    }
    endOf(session, "the agent went away");
  } catch (error) {
    const isSaid = error instanceof HpsError && error.code === "invalid";
    endOf(session, isSaid ? `the agent broke the protocol: ${error.message}` : "the agent went away");
  }
}

/** Does nothing when the session is over: then its own end counts. */
function endOf(session: ShellSession, reason: string): void {
  void session.end({ code: null, signal: 0, reason });
}
