import { type Session, SessionSchema } from "../../proto/gen/hps/v1/shell_pb.ts";
import { protoJson, type View } from "./print.ts";
import { timeText } from "./words.ts";

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
    { title: "ENDED", text: ({ endTime }) => (endTime === undefined ? "open" : timeText(endTime)) },
    { title: "COMMAND", text: ({ command }) => command.join(" ") },
    { title: "REASON", wide: true, text: ({ reason }) => reason },
    { title: "EXIT", wide: true, text: ({ endTime, exitCode }) => (endTime === undefined ? "" : String(exitCode)) },
    { title: "END REASON", wide: true, text: ({ endReason }) => endReason },
    { title: "RECORDING", wide: true, text: ({ recordingDigest }) => recordingDigest },
  ],
};
