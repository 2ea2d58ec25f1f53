import type { Endpoint } from "../../../proto/values/endpoint.ts";
import { type ErrorCode, HpsError } from "../../../proto/values/hps-error.ts";
import type { HttpsUrl } from "../../../proto/values/https-url.ts";
import type { HpsStore } from "../../store/database.ts";
import type { Audit, AuditActor, AuditSubject, Clock } from "../audit/audit.ts";
import type { Changes } from "../changes/changes.ts";
import type { Authority } from "../identity/authority.ts";
import type { Certificates } from "../identity/certificates.ts";
import type { RecordsRefusals } from "../identity/refusals.ts";
import type { Installers } from "../installers/installers.ts";
import type { Installations } from "../operations/installations.ts";
import type { Presence } from "../presence/presence.ts";
import type { LeaseTable } from "./leases.ts";
import type { LoaderWatch } from "./loader-watch.ts";

export interface GateSettings {
  /** Milliseconds. */
  readonly claimTtl: number;
  /** How long after its DHCP exchange an unknown machine may make first contact; milliseconds. */
  readonly contactWindow: number;
  /** How long a machine that asks how to boot is not refused because DHCP's word of it is missing, in ms; default 3 000. */
  readonly leaseGrace?: number;
  /** Where agents reach hpsd; asked when a claim is made, for only then are the ports known. */
  readonly addresses: () => { readonly grpc: Endpoint; readonly https: HttpsUrl };
}

/** What every part of the gate works with. */
export interface GateParts {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly refusals: RecordsRefusals;
  readonly changes: Changes;
  readonly installations: Pick<Installations, "apply" | "reenter">;
  readonly presence: Pick<Presence, "isGone" | "lastHeardAt">;
  readonly installers: Pick<Installers, "current">;
  readonly authority: Authority;
  readonly certificates: Certificates;
  readonly leases: LeaseTable;
  readonly loaders: Pick<LoaderWatch, "sent" | "asked">;
  readonly settings: GateSettings;
}

/** A refusal: one audit event, its incident id shown to the asker. */
export async function refusal(
  refusals: RecordsRefusals,
  who: AuditActor,
  subject: AuditSubject & { readonly reason: string; readonly code?: ErrorCode; readonly hint?: string },
): Promise<HpsError> {
  const incident = await refusals.refused(who, subject);
  const { code = "denied", hint = `hpsctl audit ls --incident ${incident} tells more` } = subject;
  return new HpsError(code, subject.reason, { hint, details: { incident } });
}
