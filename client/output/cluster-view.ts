import { AdmissionSchema, type Cluster, ClusterSchema } from "../../proto/gen/hps/v1/cluster_pb.ts";
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
    { title: "CREATED", wide: true, text: ({ createTime }) => timeText(createTime) },
    { title: "UPDATED", wide: true, text: ({ updateTime }) => timeText(updateTime) },
    { title: "ID", wide: true, text: ({ id }) => id },
  ],
};
