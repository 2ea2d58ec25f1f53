import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ParticipantRole, type SessionSchema, SessionState } from "../../proto/gen/hps/v1/shell_pb.ts";
import type { Participant, Seat, SeatRole } from "../core/shells/participant.ts";
import type { LiveSession } from "../core/shells/shells.ts";

type SessionRow = Participant["session"];

/** What ssh answers when a program did not end by itself. */
const NO_CODE = 255;

const STATES: Readonly<Record<LiveSession["state"], SessionState>> = {
  waiting: SessionState.WAITING,
  open: SessionState.OPEN,
  detached: SessionState.DETACHED,
  "host-lost": SessionState.HOST_LOST,
  ended: SessionState.ENDED,
};

const ROLES: Readonly<Record<SeatRole, ParticipantRole>> = {
  owner: ParticipantRole.OWNER,
  writer: ParticipantRole.WRITER,
  watcher: ParticipantRole.WATCHER,
};

/** A session as the contract shows it: its row, and what goes on in it. */
export function sessionMessage(row: SessionRow, live: LiveSession | undefined): MessageInitShape<typeof SessionSchema> {
  const { id, cluster, hostId, host, operator, command, reason, startedAt, endedAt } = row;
  return {
    ...{ id, cluster, hostId, host, operator, command: [...command], reason },
    startTime: timestampFromMs(startedAt),
    ...(endedAt !== null && { endTime: timestampFromMs(endedAt) }),
    exitCode: endedAt === null ? 0 : (row.exitCode ?? NO_CODE),
    endReason: row.endReason,
    recordingBytes: BigInt(row.recordingBytes),
    recordingDigest: row.recordingDigest,
    ...(row.recordingRemovedAt !== null && { recordingRemoveTime: timestampFromMs(row.recordingRemovedAt) }),
    state: STATES[endedAt === null ? (live?.state ?? "ended") : "ended"],
    participants: live?.participants.map(participantMessage) ?? [],
    address: row.address,
    approver: row.approver,
    limits: limitsMessage(row),
    ...(live?.holdMs !== undefined && { hold: durationFromMs(live.holdMs) }),
    recorded: live?.recorder.complete ?? row.recorded,
    recordsInput: live?.recorder.recordsInput ?? false,
    keptByAgent: row.keptByAgent ?? false,
  };
}

function limitsMessage({ endsAt, idleLimit }: SessionRow) {
  return {
    ...(endsAt !== null && { expireTime: timestampFromMs(endsAt) }),
    ...(idleLimit > 0 && { idleLimit: durationFromMs(idleLimit) }),
  };
}

function participantMessage({ id, operator, role, address, joinedAt }: Seat) {
  return { id, operator, role: ROLES[role], address, joinTime: timestampFromMs(joinedAt) };
}
