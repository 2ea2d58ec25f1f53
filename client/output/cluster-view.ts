import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { AdmissionSchema, type Cluster, ClusterSchema, ShellAccessSchema } from "../../proto/gen/hps/v1/cluster_pb.ts";
import { formatDuration } from "../../proto/values/duration.ts";
import { protoJson, type View } from "./print.ts";
import { enumWord, timeText } from "./words.ts";

export const CLUSTER_VIEW: View<Cluster> = {
  kind: "cluster",
  name: ({ name }) => name,
  json: protoJson(ClusterSchema),
  columns: [
    { title: "NAME", text: ({ name }) => name },
    { title: "DOMAIN", text: ({ domain }) => domain },
    { title: "ADMISSION", text: ({ admission }) => enumWord(AdmissionSchema, admission) },
    { title: "DESCRIPTION", text: ({ description }) => description },
    { title: "SHELLS", wide: true, text: ({ shellPolicy }) => shellPolicyText(shellPolicy) },
    { title: "IMAGE MIRRORS", wide: true, text: ({ imageMirrors }) => imageMirrors.join(", ") },
    { title: "IMAGE TAGS KEPT", wide: true, text: ({ imageKeep }) => (imageKeep === 0 ? "all" : String(imageKeep)) },
    { title: "CREATED", wide: true, text: ({ createTime }) => timeText(createTime) },
    { title: "UPDATED", wide: true, text: ({ updateTime }) => timeText(updateTime) },
    { title: "ID", wide: true, text: ({ id }) => id },
  ],
};

/** In few words what is asked of a shell: `grant, reason, approval, 8h, idle 30m`. */
function shellPolicyText(policy: Cluster["shellPolicy"]): string {
  if (policy === undefined) return "";
  const words = [
    enumWord(ShellAccessSchema, policy.access),
    policy.reasonRequired && "reason",
    policy.approvalRequired && "approval",
    policy.timeLimit && limitText(policy.timeLimit),
    policy.idleLimit && `idle ${limitText(policy.idleLimit)}`,
    policy.recordInput && "input recorded",
    policy.strictRecording && "strict",
  ];
  return words.filter(Boolean).join(", ");
}

function limitText(duration: Duration): string {
  return formatDuration(durationMs(duration));
}
