import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Presence } from "../presence/presence.ts";
import type { AgentOrders } from "./installation-life.ts";

/**
 * What a change of an installation means to its agent, if one is attached; one that is not learns it when it attaches.
 * The end comes as the status of its stream: its certificate is revoked at the same moment, so no command would arrive.
 */
export function agentOrders(presence: Presence): AgentOrders {
  return {
    proceed: (hostId, doneSteps) => presence.tell(hostId, { case: "proceed", value: { doneSteps: [...doneSteps] } }),
    cancel: (hostId, reason) => {
      presence.close(
        hostId,
        new HpsError("unauthenticated", "the installation is over, and with it this certificate", {
          hint: "stop; the host must be armed again to be installed",
          details: { reason: "ended", why: reason },
        }),
      );
    },
  };
}
