import type { AgentService } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

/** What hpsd asks for in an OpenShell command. */
export interface ShellAsk {
  readonly session: string;
  /** Empty: a login shell on a terminal. Else argv, without a terminal. */
  readonly command: readonly string[];
  readonly term: string;
  readonly rows: number;
  readonly columns: number;
}

/**
 * Begins to serve one shell session over ServeShell of `service`. Resolves when the session runs, rejects with an HpsError
 * when it cannot; from then on it is on its own, until `signal` (the agent stops).
 */
export type ShellStarter = (ask: ShellAsk, service: Client<typeof AgentService>, signal: AbortSignal) => Promise<void>;

/** The OpenShell command with this starter; without one it is refused. */
export function openShellWith(
  shells: ShellStarter | undefined,
  service: () => Client<typeof AgentService>,
  signal: AbortSignal,
): (ask: ShellAsk) => Promise<void> {
  return async (ask) => {
    if (shells === undefined) throw new HpsError("unimplemented", "this agent offers no shell");
    await shells(ask, service(), signal);
  };
}
