import { RoleSchema } from "../../proto/gen/hps/v1/access_pb.ts";
import {
  type Certificate,
  CertificateSchema,
  CertificateState,
  CertificateStateSchema,
  type Operator,
  OperatorSchema,
  type RoleBinding,
  type WhoAmIResponse,
  WhoAmIResponseSchema,
} from "../../proto/gen/hps/v1/identity_pb.ts";
import { protoJson, type View } from "./print.ts";
import { enumWord, timeText } from "./words.ts";

/** `lab=operator,*=viewer`, as `--role` takes it. */
function rolesText(roles: readonly RoleBinding[]): string {
  return roles.map(({ cluster, role }) => `${cluster}=${enumWord(RoleSchema, role)}`).join(",");
}

export const OPERATOR_VIEW: View<Operator> = {
  kind: "operator",
  name: ({ name }) => name,
  json: protoJson(OperatorSchema),
  columns: [
    { title: "NAME", text: ({ name }) => name },
    { title: "ROLES", text: ({ roles }) => rolesText(roles) },
    { title: "CREATED", wide: true, text: ({ createTime }) => timeText(createTime) },
  ],
};

export const CERTIFICATE_VIEW: View<Certificate> = {
  kind: "certificate",
  name: ({ serial }) => serial,
  json: protoJson(CertificateSchema),
  columns: [
    { title: "SERIAL", text: ({ serial }) => serial },
    { title: "IDENTITY", text: ({ identity }) => identity },
    {
      title: "STATE",
      text: ({ state }) => enumWord(CertificateStateSchema, state),
      colour: ({ state }) => (state === CertificateState.REVOKED ? "red" : undefined),
    },
    { title: "EXPIRES", text: ({ notAfterTime }) => timeText(notAfterTime) },
    { title: "ISSUED", wide: true, text: ({ notBeforeTime }) => timeText(notBeforeTime) },
    { title: "REVOKED", wide: true, text: ({ revokeTime }) => timeText(revokeTime) },
    { title: "REASON", wide: true, text: ({ revokeReason }) => revokeReason },
    { title: "DIGEST", wide: true, text: ({ digest }) => digest },
  ],
};

export const WHOAMI_VIEW: View<WhoAmIResponse> = {
  kind: "identity",
  name: ({ identity }) => identity,
  json: protoJson(WhoAmIResponseSchema),
  columns: [
    { title: "IDENTITY", text: ({ identity }) => identity },
    { title: "ROLES", text: ({ roles }) => rolesText(roles) },
    { title: "CERTIFICATE ENDS", text: ({ certificateEndTime }) => timeText(certificateEndTime) },
    { title: "SERVER", text: ({ serverVersion }) => serverVersion },
  ],
};
