import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Presence } from "../presence/presence.ts";
import type { AgentOrders } from "./installation-life.ts";

/**
 * `hostIdentity`: the URI in the certificate of a host's own agent.
 *
 * What a change of an installation means to its agent, if one is attached; one that is not learns it when it attaches.
 * The end comes as the status of its stream: its certificate is revoked at the same moment, so no command would arrive.
 */
export function agentOrders(presence: Presence, hostIdentity: (hostId: string) => string): AgentOrders {
  return {
    proceed: (hostId, doneSteps) => presence.tell(hostId, { case: "proceed", value: { doneSteps: [...doneSteps] } }),
    isAttached: (hostId) => presence.isAttached(hostId),
    pauseReboot: (hostId, paused) =>
      presence.tell(hostId, { case: paused ? "pauseReboot" : "resumeReboot", value: {} }),
    // An installer that is attached for the same host is not asked: it restarts by itself when it is done.
    reboot: (hostId, network) => presence.sendTo(hostIdentity(hostId), { case: "reboot", value: { network } }),
    cancel: (hostId, reason, restart) => {
      presence.close(
        hostId,
        new HpsError("unauthenticated", `the installation is over: ${reason}`, {
          hint: "the host must be armed again to be installed",
          details: { reason: "ended", why: reason, ...(restart && { restart: "yes" }) },
        }),
      );
    },
  };
}
