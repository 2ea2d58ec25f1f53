import {
  type AuditEvent,
  AuditEventSchema,
  AuditOutcome,
  AuditOutcomeSchema,
  type VerifyAuditLogResponse,
  VerifyAuditLogResponseSchema,
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

export const AUDIT_VERDICT_VIEW: View<VerifyAuditLogResponse> = {
  kind: "audit log",
  name: ({ headDigest }) => headDigest,
  json: protoJson(VerifyAuditLogResponseSchema),
  columns: [
    {
      title: "CHAIN",
      text: ({ breaks }) => (breaks.length === 0 ? "whole" : "broken"),
      colour: ({ breaks }) => (breaks.length === 0 ? undefined : "red"),
    },
    { title: "EVENTS", text: ({ events }) => String(events) },
    { title: "FIRST", text: ({ firstSequence }) => String(firstSequence) },
    { title: "LAST", text: ({ lastSequence }) => String(lastSequence) },
    { title: "HEAD", text: ({ headDigest }) => headDigest },
    { title: "HEAD FOUND AT", text: ({ foundSequence }) => (foundSequence === 0n ? "" : String(foundSequence)) },
    { title: "BROKEN AT", text: ({ breaks }) => breaks.map(({ sequence }) => String(sequence)).join(", ") },
  ],
};
