import { HpsError } from "../../proto/values/hps-error.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { AgentCaller } from "../core/operations/agent-messages.ts";

/** The contract lets only agents in; this is for the compiler, and for a contract that someone loosens. */
export function agentOf({ principal, ...call }: Caller): AgentCaller {
  if (principal.kind === "installer" || principal.kind === "host") return { ...call, principal };
  throw new HpsError("denied", "this is for agents");
}
