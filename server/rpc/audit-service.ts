import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type AuditEventSchema,
  AuditOutcome,
  type AuditService,
  type ListAuditEventsRequest,
  type VerifyAuditLogResponseSchema,
} from "../../proto/gen/hps/v1/audit_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { parseDigest } from "../../proto/values/digest.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { AuditLog, AuditPage } from "../core/audit/audit-log.ts";
import type { AuditVerdict, AuditVerifier } from "../core/audit/audit-verifier.ts";
import type { Access, VisibleClusters } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import { wordOf } from "./fields.ts";
import { type ListOf, nextPageToken, pageLimit, pageStart } from "./paging.ts";

const OUTCOMES = { allowed: AuditOutcome.ALLOWED, refused: AuditOutcome.REFUSED } as const;

interface Deps {
  readonly access: Access;
  readonly auditLog: AuditLog;
  readonly auditVerifier: AuditVerifier;
}

export function auditService({ access, auditLog, auditVerifier }: Deps): Handlers<typeof AuditService, Caller> {
  return {
    listAuditEvents: async (request, { principal: caller }) => {
      const clusters = await access.visible(caller, request.cluster);
      const page = await auditLog.list(queryOf(request, clusters));
      const key = page.next === undefined ? undefined : [page.next];
      return { events: page.events.map(messageOf), nextPageToken: nextPageToken(key, listOf(request)) };
    },

    watchAuditEvents: async function* (request, { principal: caller, signal }) {
      const clusters = await access.visible(caller, request.cluster);
      const after = request.afterSequence;
      if (after > BigInt(Number.MAX_SAFE_INTEGER)) throw new HpsError("out-of-range", `no audit event ${after} exists`);
      for await (const event of auditLog.watch(clusters, Number(after), signal)) yield messageOf(event);
    },

    verifyAuditLog: async ({ headDigest }, { signal }) => {
      const wanted = headDigest === "" ? "" : parseDigest(headDigest);
      return verdictMessage(await auditVerifier.verify(wanted, signal));
    },
  };
}

type Event = AuditPage["events"][number];

function messageOf(event: Event): MessageInitShape<typeof AuditEventSchema> {
  const { actor, action, target, cluster, address, reason, incident, details } = event;
  return {
    sequence: BigInt(event.sequence),
    time: timestampFromMs(event.at),
    actor,
    action,
    target,
    cluster,
    address,
    outcome: OUTCOMES[event.outcome],
    reason,
    incident,
    details: { ...details },
  };
}

function verdictMessage(verdict: AuditVerdict): MessageInitShape<typeof VerifyAuditLogResponseSchema> {
  const { events, first, last, head, breaks, found } = verdict;
  return {
    events: BigInt(events),
    firstSequence: BigInt(first),
    lastSequence: BigInt(last),
    headDigest: head,
    breaks: breaks.map(({ sequence, at }) => ({ sequence: BigInt(sequence), time: timestampFromMs(at) })),
    foundSequence: BigInt(found),
  };
}

function queryOf(request: ListAuditEventsRequest, clusters: VisibleClusters): Parameters<AuditLog["list"]>[0] {
  const { actor, target, incident, outcome, startTime, endTime } = request;
  const [before] = pageStart(request, listOf(request), ["number"]) ?? [];
  return {
    clusters,
    limit: pageLimit(request),
    ...(typeof before === "number" && { before }),
    ...(startTime && { from: millisecondsOf(startTime) }),
    ...(endTime && { to: millisecondsOf(endTime) }),
    ...(actor !== "" && { actor }),
    ...(target !== "" && { target }),
    ...(incident !== "" && { incident }),
    ...(outcome !== AuditOutcome.UNSPECIFIED && { outcome: wordOf(OUTCOMES, outcome, "outcome") }),
  };
}

function listOf(request: ListAuditEventsRequest): ListOf {
  const { cluster, actor, target, incident, outcome, startTime, endTime } = request;
  const times = [startTime, endTime].map((time) => (time === undefined ? "" : String(millisecondsOf(time))));
  return ["audit", cluster, actor, target, incident, String(outcome), ...times];
}

/** Of a time from outside: seconds beyond what a Date holds would be no number any more. */
function millisecondsOf(time: Timestamp): number {
  const ms = timestampMs(time);
  if (Number.isSafeInteger(ms)) return ms;
  throw new HpsError("invalid", "a time of the request is not a time");
}
