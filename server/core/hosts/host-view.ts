import type { HostRecord } from "../../store/hosts.ts";
import { type HostState, parseOpenState } from "./life-cycle.ts";

/** A host as it is shown: what is stored, and what follows from it and from who is attached. */
export interface HostView extends HostRecord {
  readonly state: HostState;
  readonly attached: boolean;
}

/** Whether a host's agent is attached now. */
export type IsAttached = (hostId: string) => boolean;

/** While an installation is open its state is the host's. */
function hostStateOf({ installation, installedAt }: HostRecord): HostState {
  if (installation !== undefined) return parseOpenState(installation.state);
  return installedAt === null ? "registered" : "installed";
}

export function hostViewOf(host: HostRecord, isAttached: IsAttached): HostView {
  return { ...host, state: hostStateOf(host), attached: isAttached(host.id) };
}
