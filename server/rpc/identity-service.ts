import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { parseIdentityUri } from "../../certs/identity.ts";
import { Role } from "../../proto/gen/hps/v1/access_pb.ts";
import {
  type CertificateSchema,
  CertificateState,
  type IdentityService,
  type OperatorSchema,
  type RoleBinding,
} from "../../proto/gen/hps/v1/identity_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseObjectName } from "../../proto/values/object-name.ts";
import { actorOfCaller, type Clock } from "../core/audit/audit.ts";
import type { Authority } from "../core/identity/authority.ts";
import type { CertificateRegister, CertificateView } from "../core/identity/certificate-register.ts";
import type { IntermediateRotation } from "../core/identity/intermediate-rotation.ts";
import { DEFAULT_VALIDITY_MS, type Operator, type Operators } from "../core/identity/operators.ts";
import { actorOf, type Caller } from "../core/identity/principal.ts";
import type { ServerCredentials } from "../core/identity/server-credentials.ts";
import { subjectOf } from "../core/identity/signed-certificate.ts";
import { boundedText, wordOf } from "./fields.ts";
import { nextPageToken, pageLimit, pageStart } from "./paging.ts";

interface Deps {
  readonly operators: Operators;
  readonly register: CertificateRegister;
  readonly rotation: IntermediateRotation;
  readonly credentials: ServerCredentials;
  readonly authority: Authority;
  readonly clock: Clock;
  readonly version: string;
}

type IdentityHandlers = Handlers<typeof IdentityService, Caller>;

const ROLES = { viewer: Role.VIEWER, operator: Role.OPERATOR, admin: Role.ADMIN } as const;
const STATES = {
  valid: CertificateState.VALID,
  suspended: CertificateState.SUSPENDED,
  revoked: CertificateState.REVOKED,
  waiting: CertificateState.WAITING,
} as const;
const LONGEST_REASON = 512;
const LONGEST_PEM = 16 * 1024;

/** The access option of every method here says all there is to check: each is for global admins, or about the caller itself. */
export function identityService(deps: Deps): IdentityHandlers {
  return { ...operatorMethods(deps), ...certificateMethods(deps), ...authorityMethods(deps) };
}

function operatorMethods({ operators, version }: Deps) {
  return {
    whoAmI: async (_request, { principal: caller }) => {
      const { principal } = caller;
      if (principal.kind === "nobody") throw new HpsError("unauthenticated", "no client certificate");
      const own = principal.kind === "operator" ? await operators.get(principal.name) : undefined;
      return {
        identity: actorOf(caller),
        roles: rolesMessage(own?.roles ?? []),
        certificateEndTime: timestampFromMs(principal.certificate.notAfter),
        serverVersion: version,
      };
    },

    getOperator: async ({ name }) => operatorMessage(await operators.get(name)),

    listOperators: async (request) => {
      const limit = pageLimit(request);
      const [after] = pageStart(request, ["operators"], ["string"]) ?? [""];
      const found = await operators.list(String(after), limit + 1);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const next = found.length > limit && last !== undefined ? [last.name] : undefined;
      return { operators: page.map(operatorMessage), nextPageToken: nextPageToken(next, ["operators"]) };
    },

    inviteOperator: async ({ name, roles, validity }, { principal: caller }) => {
      const invited = await operators.invite(actorOfCaller(caller), {
        name: parseObjectName(name, "name of an operator"),
        roles: roles.map(bindingOf),
        validityMs: validity === undefined ? DEFAULT_VALIDITY_MS : durationMs(validity),
      });
      const { operator, token, expiresAt } = invited;
      return { operator: operatorMessage(operator), token, expireTime: timestampFromMs(expiresAt) };
    },

    setOperatorRoles: async ({ name, roles }, { principal: caller }) =>
      operatorMessage(await operators.setRoles(actorOfCaller(caller), name, roles.map(bindingOf))),

    deleteOperator: async ({ name }, { principal: caller }) => {
      await operators.delete(actorOfCaller(caller), name);
      return {};
    },
  } satisfies Partial<IdentityHandlers>;
}

function certificateMethods({ register, authority, clock }: Deps) {
  return {
    listCertificates: async (request) => {
      const { identity, validOnly } = request;
      const list = ["certificates", identity, String(validOnly)];
      const limit = pageLimit(request);
      const start = pageStart(request, list, ["number", "string"]);
      const before = start && { issuedAt: Number(start[0]), serial: String(start[1]) };
      const found = await register.list({
        limit: limit + 1,
        ...(before && { before }),
        ...(identity !== "" && identityFilter(identity, authority.trustDomain)),
        ...(validOnly && { states: ["valid"], endsAfter: clock() }),
      });
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const next = found.length > limit && last !== undefined ? [last.issuedAt, last.serial] : undefined;
      const certificates = page.map((row) => certificateMessage(row, authority, clock()));
      return { certificates, nextPageToken: nextPageToken(next, list) };
    },

    revokeCertificate: async ({ serial, reason }, { principal: caller }) => {
      const why = boundedText(reason, LONGEST_REASON, "a reason");
      return certificateMessage(await register.revoke(actorOfCaller(caller), serial, why), authority, clock());
    },
  } satisfies Partial<IdentityHandlers>;
}

function authorityMethods({ register, rotation, credentials, authority, clock }: Deps) {
  const rotated = async (caller: Caller) => {
    const { serial } = await credentials.rotate(actorOfCaller(caller));
    return certificateMessage(await register.get(serial), authority, clock());
  };
  return {
    prepareIntermediate: async (_request, { principal: caller }) => ({
      certificateRequest: await rotation.prepare(actorOfCaller(caller)),
    }),

    installIntermediate: async ({ certificate }, { principal: caller }) => {
      await rotation.install(actorOfCaller(caller), boundedText(certificate, LONGEST_PEM, "a certificate"));
      return { serverCertificate: await rotated(caller) };
    },

    rotateServerCertificate: async (_request, { principal: caller }) => await rotated(caller),
  } satisfies Partial<IdentityHandlers>;
}

function bindingOf({ cluster, role }: RoleBinding) {
  return { cluster, role: wordOf(ROLES, role, "role") };
}

function rolesMessage(roles: Operator["roles"]) {
  return roles.map(({ cluster, role }) => ({ cluster, role: ROLES[role] }));
}

function operatorMessage({ name, roles, createdAt }: Operator): MessageInitShape<typeof OperatorSchema> {
  return { name, roles: rolesMessage(roles), createTime: timestampFromMs(createdAt) };
}

function certificateMessage(
  row: CertificateView,
  authority: Authority,
  now: number,
): MessageInitShape<typeof CertificateSchema> {
  const expired = row.notAfter < now && row.state !== "revoked";
  return {
    serial: row.serial,
    identity: authority.uriOf(row.kind, row.subject),
    state: expired ? CertificateState.EXPIRED : STATES[row.state],
    notBeforeTime: timestampFromMs(row.notBefore),
    notAfterTime: timestampFromMs(row.notAfter),
    ...(row.revokedAt !== null && { revokeTime: timestampFromMs(row.revokedAt) }),
    revokeReason: row.revokeReason,
    digest: `sha256:${row.fingerprint}`,
  };
}

/** An identity of another trust domain has no certificate of ours. */
function identityFilter(uri: string, trustDomain: string) {
  const { identity, trustDomain: domain } = parseIdentityUri(uri);
  if (domain !== trustDomain) throw new HpsError("invalid", `certificates here are of trust domain ${trustDomain}`);
  return { kind: identity.kind, subject: subjectOf(identity) };
}
