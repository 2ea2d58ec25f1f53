import { type VerifyRecordingResponse, VerifyRecordingResponseSchema } from "../../proto/gen/hps/v1/shell_pb.ts";
import { protoJson, type View } from "./print.ts";

export const VERDICT_VIEW: View<VerifyRecordingResponse> = {
  kind: "recording",
  name: ({ digest }) => digest,
  json: protoJson(VerifyRecordingResponseSchema),
  columns: [
    {
      title: "RECORDING",
      text: ({ problems }) => (problems.length === 0 ? "as it was" : problems.join("; ")),
      colour: ({ problems }) => (problems.length === 0 ? undefined : "red"),
    },
    { title: "NOW", text: ({ digest }) => digest },
    { title: "SESSION", text: ({ sessionDigest }) => sessionDigest },
    { title: "AUDIT LOG", text: ({ auditDigest }) => auditDigest },
    { title: "AUDIT EVENT", text: ({ auditSequence }) => (auditSequence === 0n ? "" : String(auditSequence)) },
  ],
};
