import type { RecordsRefusals } from "../identity/refusals.ts";
import type { Attachment } from "./presence.ts";

export interface TwoMachinesDeps {
  readonly refusals: RecordsRefusals;
  /** For whoever watches the log; must not throw. */
  readonly warn: (message: string, details: Readonly<Record<string, string>>) => void;
}

/** Raises "one identity, two machines": an audit event of the later one, and a warning with the same incident id. */
export function raiseTwoMachines({ refusals, warn }: TwoMachinesDeps): (latest: Attachment) => void {
  return ({ identity, hostId, clusterId, address, runId }) => {
    const reason = "one identity, two machines";
    const who = { actor: identity, action: "hps.v1.AgentService/Attach", address };
    const recorded = refusals.refused(who, { target: `host:${hostId}`, clusterId, reason, details: { run: runId } });
    void recorded
      .catch(() => "")
      .then((incident) => warn(reason, { identity, host: hostId, address, run: runId, incident }));
  };
}
