import {
  ParticipantRoleSchema,
  type Session,
  type SessionParticipant,
  SessionSchema,
  SessionState,
  SessionStateSchema,
} from "../../proto/gen/hps/v1/shell_pb.ts";
import { copyText } from "../copy/remote-script.ts";
import { protoJson, type View } from "./print.ts";
import { enumWord, timeText } from "./words.ts";

/** Of one that goes on; an hpsd that does not say how yet only lists it. */
function stateWord(state: SessionState): string {
  return state === SessionState.UNSPECIFIED ? "open" : enumWord(SessionStateSchema, state);
}

export const SESSION_VIEW: View<Session> = {
  kind: "session",
  name: ({ id }) => id,
  json: protoJson(SessionSchema),
  columns: [
    { title: "ID", text: ({ id }) => id },
    { title: "CLUSTER", text: ({ cluster }) => cluster },
    { title: "HOST", text: ({ host }) => host },
    { title: "OPERATOR", text: ({ operator }) => operator },
    { title: "STARTED", text: ({ startTime }) => timeText(startTime) },
    { title: "ENDED", text: ({ endTime, state }) => (endTime === undefined ? stateWord(state) : timeText(endTime)) },
    { title: "COMMAND", text: ({ command }) => copyText(command) ?? command.join(" ") },
    { title: "WITH", wide: true, text: ({ participants }) => participants.map(whoText).join(", ") },
    { title: "FROM", wide: true, text: ({ address }) => address },
    { title: "REASON", wide: true, text: ({ reason }) => reason },
    { title: "APPROVED BY", wide: true, text: ({ approver }) => approver },
    { title: "ENDS AT", wide: true, text: ({ limits }) => timeText(limits?.expireTime) },
    { title: "EXIT", wide: true, text: ({ endTime, exitCode }) => (endTime === undefined ? "" : String(exitCode)) },
    { title: "END REASON", wide: true, text: ({ endReason }) => endReason },
    { title: "RECORDING", wide: true, text: ({ recordingDigest }) => recordingDigest },
    { title: "KEPT", wide: true, text: ({ keptByAgent }) => (keptByAgent ? "by the agent" : "") },
    { title: "REMOVED", wide: true, text: ({ recordingRemoveTime }) => timeText(recordingRemoveTime) },
  ],
};

/** `bob (watcher)`. */
function whoText({ operator, role }: SessionParticipant): string {
  return `${operator} (${enumWord(ParticipantRoleSchema, role)})`;
}
