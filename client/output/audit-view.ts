import {
  type AuditEvent,
  AuditEventSchema,
  AuditOutcome,
  AuditOutcomeSchema,
} from "../../proto/gen/hps/v1/audit_pb.ts";
import { protoJson, type View } from "./print.ts";
import { enumWord, mapText, timeText } from "./words.ts";

export const AUDIT_VIEW: View<AuditEvent> = {
  kind: "audit event",
  name: ({ sequence }) => String(sequence),
  json: protoJson(AuditEventSchema),
  columns: [
    { title: "TIME", text: ({ time }) => timeText(time) },
    {
      title: "OUTCOME",
      text: ({ outcome }) => enumWord(AuditOutcomeSchema, outcome),
      colour: ({ outcome }) => (outcome === AuditOutcome.REFUSED ? "red" : undefined),
    },
    { title: "ACTOR", text: ({ actor }) => actor },
    { title: "ACTION", text: ({ action }) => action.replace(/^hps\.v1\./, "") },
    { title: "TARGET", text: ({ target }) => target },
    { title: "REASON", text: ({ reason }) => reason },
    { title: "CLUSTER", wide: true, text: ({ cluster }) => cluster },
    { title: "ADDRESS", wide: true, text: ({ address }) => address },
    { title: "INCIDENT", wide: true, text: ({ incident }) => incident },
    { title: "DETAILS", wide: true, text: ({ details }) => mapText(details) },
    { title: "SEQUENCE", wide: true, text: ({ sequence }) => String(sequence) },
  ],
};
