import type { SessionRow } from "../../store/sessions.ts";
import type { Caller } from "../identity/principal.ts";
import type { SessionHost } from "./session-records.ts";
import type { Admitted } from "./shell-admission.ts";
import type { ShellStart } from "./shell-start.ts";

/** A session as it was asked for, by one who may. */
export interface Asked {
  readonly id: string;
  readonly caller: Caller;
  readonly hostId: string;
  readonly start: ShellStart;
  readonly terms: Admitted["terms"];
}

/** What is known only when it begins. */
interface Beginning {
  readonly host: SessionHost;
  readonly agentRun: string;
  readonly startedAt: number;
  /** Empty when nobody had to approve it. */
  readonly approver: string;
}

/** What the store holds of it while it goes on. */
export function openRow({ id, caller, hostId, start, terms }: Asked, beginning: Beginning): SessionRow {
  const { host, startedAt, agentRun, approver } = beginning;
  const { command, reason } = start;
  const endsAt = terms.timeLimit > 0 ? startedAt + terms.timeLimit : null;
  return {
    ...{ id, hostId, ...host, ...who(caller), command, reason, startedAt, agentRun, approver },
    ...{ certificate: fingerprintOf(caller), strict: terms.strictRecording },
    ...{ endsAt, idleLimit: terms.idleLimit, endedAt: null, exitCode: null, endReason: "" },
    ...{ recordingBytes: 0, recordingDigest: "", recorded: true, recordingRemovedAt: null },
  };
}

/** Of the certificate an operator called with. */
export function fingerprintOf({ principal }: Caller): string {
  return principal.kind === "operator" ? principal.certificate.fingerprint : "";
}

/** As sessions name who calls. */
export function who({ principal, address }: Caller): { readonly operator: string; readonly address: string } {
  return { operator: principal.kind === "operator" ? principal.name : "", address };
}
