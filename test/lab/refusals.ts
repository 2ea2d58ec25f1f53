import { type AuditEvent, AuditOutcome } from "../../proto/gen/hps/v1/audit_pb.ts";
import type { HpsdRack } from "./hpsd-rack.ts";
import type { AskOptions, Reply } from "./machine.ts";

/** The four forms of a refusal: how to ask for each, with what status it comes, and where it shows the incident. */
export const FORMS = {
  ipxe: { ask: {}, status: 200, type: "text/plain", incident: /^echo Incident (\S+)$/m },
  json: { ask: { agent: "curl/7.88.1" }, status: 403, type: "application/json", incident: /"incident":"([^"]+)"/ },
  html: { ask: { agent: "Mozilla/5.0 (X11)" }, status: 403, type: "text/html", incident: /<code>([^<]+)<\/code>/ },
  text: {
    ask: { agent: "Wget/1.21", accept: "text/plain" },
    status: 403,
    type: "text/plain",
    incident: /^incident: (\S+)$/m,
  },
} as const satisfies Record<string, { ask: AskOptions; status: number; type: string; incident: RegExp }>;

export type Form = keyof typeof FORMS;

/** What came of one refused request. */
interface Refused {
  readonly reply: Reply;
  /** As the answer shows it. */
  readonly incident: string | undefined;
  /** All refusals the audit log has of it. */
  readonly events: readonly AuditEvent[];
}

/** Asks in that form, and looks what the audit log has about it. */
export async function refusedIn(
  lab: Pick<HpsdRack, "hps">,
  form: Form,
  ask: (options: AskOptions) => Promise<Reply>,
): Promise<Refused> {
  const { result: reply, events } = await refusalsDuring(lab, () => ask(FORMS[form].ask));
  return { reply, incident: FORMS[form].incident.exec(reply.body)?.[1], events };
}

/** The refusals that the audit log has more after `act` than before. */
export async function refusalsDuring<T>(
  { hps }: Pick<HpsdRack, "hps">,
  act: () => Promise<T>,
): Promise<{ readonly result: T; readonly events: readonly AuditEvent[] }> {
  const request = { outcome: AuditOutcome.REFUSED, pageSize: 100 };
  const before = (await hps.audit.listAuditEvents(request)).events[0]?.sequence ?? 0n;
  const result = await act();
  const after = await hps.audit.listAuditEvents(request);
  return { result, events: after.events.filter(({ sequence }) => sequence > before) };
}
