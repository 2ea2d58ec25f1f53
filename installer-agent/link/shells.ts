import type { AgentService, OpenShell } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Link } from "./link.ts";

type Service = Client<typeof AgentService>;

/** The agent's shell sessions (shell/shell-sessions.ts), as far as the link knows them. */
export interface Shells {
  /** Sessions that are open now. */
  readonly count: number;
  /** Begins a session on streams of its own: `serve` may be called again when one is lost. Resolves when it runs, rejects with an HpsError when it cannot. */
  readonly start: (request: OpenShell, serve: Service["serveShell"]) => Promise<void>;
  /** Writes a line to every terminal. */
  readonly announce: (text: string) => void;
  /** Ends every session, telling why. */
  readonly close: (why?: string) => Promise<void>;
}

/** The OpenShell command; refused by an agent without shells. */
export function openShellWith(
  shells: Shells | undefined,
  link: () => Pick<Link, "serveShell">,
): (request: OpenShell) => Promise<void> {
  return async (request) => {
    if (shells === undefined) throw new HpsError("unimplemented", "this agent offers no shell");
    await shells.start(request, (requests, options) => link().serveShell(requests, options));
  };
}
