import { RoleSchema } from "../../proto/gen/hps/v1/access_pb.ts";
import { type Grant, GrantSchema, ShellPermissionSchema } from "../../proto/gen/hps/v1/grant_pb.ts";
import { protoJson, type View } from "./print.ts";
import { enumWord, mapText, timeText } from "./words.ts";

export const GRANT_VIEW: View<Grant> = {
  kind: "grant",
  name: ({ id }) => id,
  json: protoJson(GrantSchema),
  columns: [
    { title: "ID", text: ({ id }) => id },
    { title: "CLUSTER", text: ({ cluster }) => cluster },
    { title: "TO", text: granteeText },
    { title: "CAN", text: ({ permission }) => enumWord(ShellPermissionSchema, permission) },
    { title: "HOSTS", text: hostsText },
    { title: "UNTIL", text: ({ expireTime }) => (expireTime === undefined ? "removed" : timeText(expireTime)) },
    { title: "REASON", wide: true, text: ({ reason }) => reason },
    { title: "BY", wide: true, text: ({ creator }) => creator },
    { title: "CREATED", wide: true, text: ({ createTime }) => timeText(createTime) },
  ],
};

function granteeText({ grantee }: Grant): string {
  if (grantee.case === "operator") return `operator ${grantee.value}`;
  return grantee.case === "role" ? `role ${enumWord(RoleSchema, grantee.value)}` : "";
}

function hostsText({ hosts }: Grant): string {
  if (hosts.case === "host") return hosts.value;
  return hosts.case === "tags" ? `@${mapText(hosts.value.tags)}` : "all";
}
