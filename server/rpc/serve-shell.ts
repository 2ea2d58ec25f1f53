import type { AgentService, ServeShellRequest } from "../../proto/gen/hps/v1/agent_pb.ts";
import { firstMessage } from "../../proto/rpc/first-message.ts";
import type { Handler } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import { type AgentLink, brokenBy } from "../core/shells/agent-links.ts";
import type { Shells } from "../core/shells/shells.ts";

export interface ServeShellDeps {
  readonly access: Access;
  readonly shells: Shells;
}

const CUT = "the connection to the host's agent was lost";

/** AgentService.ServeShell: one stream of the agent for one session of its own host. */
export function serveShell({ access, shells }: ServeShellDeps): Handler<typeof AgentService.method.serveShell, Caller> {
  return async function* (requests, { principal: caller, signal }) {
    const messages = requests[Symbol.asyncIterator]();
    const { message } = await firstMessage(messages);
    const { id } = await access.session(caller, parseUuid(sessionOf(message)));
    const link = message.case === "resume" ? await shells.resume(message.value) : shells.serve(id);
    const gone = () => lose(link, signal);
    signal.addEventListener("abort", gone, { once: true });
    try {
      if (signal.aborted) gone();
      void readOutput(link, messages, signal);
      for await (const input of link.toAgent) yield { message: input };
    } finally {
      signal.removeEventListener("abort", gone);
      gone();
    }
  };
}

function sessionOf(message: ServeShellRequest["message"]): string {
  if (message.case === "session") return message.value;
  if (message.case === "resume") return message.value.session;
  throw new HpsError("invalid", "the first message names no session");
}

async function readOutput(link: AgentLink, messages: AsyncIterator<ServeShellRequest>, signal: AbortSignal) {
  try {
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
      const { message } = next.value;
      if (message.case === undefined) continue;
      if (message.case === "session" || message.case === "resume") {
        throw new HpsError("invalid", "a second session in one stream");
      }
      await link.receive(message);
    }
    lose(link, signal);
  } catch (error) {
    if (error instanceof HpsError && error.code === "invalid") link.broken(brokenBy(error));
    else lose(link, signal);
  }
}

/** A connection that is gone may come back, and so may one whose certificate has expired; one that was revoked may not. */
function lose(link: AgentLink, { reason }: AbortSignal): void {
  const isSaid = reason instanceof HpsError && reason.code !== "cancelled";
  if (isSaid && reason.code === "unauthenticated" && reason.details.reason !== undefined) {
    link.broken(`the host was thrown out: ${reason.message.replace(/^your /, "its ")}`);
  } else {
    link.lost(isSaid ? `the call of the host's agent was ended: ${reason.message}` : CUT);
  }
}
