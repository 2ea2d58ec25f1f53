import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Role as RoleNumber } from "../../proto/gen/hps/v1/access_pb.ts";
import { type Grant, type GrantSchema, type GrantService, ShellPermission } from "../../proto/gen/hps/v1/grant_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { parseHostName } from "../../proto/values/host-name.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseObjectName } from "../../proto/values/object-name.ts";
import { parseTagKey, parseTagValue } from "../../proto/values/tag.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { GrantPage, Grants, GrantWish } from "../core/shells/grants.ts";
import { boundedText, required, wordOf } from "./fields.ts";
import { nextPageToken, pageLimit, pageStart } from "./paging.ts";

const ROLES = { viewer: RoleNumber.VIEWER, operator: RoleNumber.OPERATOR, admin: RoleNumber.ADMIN } as const;
const PERMISSIONS = { watch: ShellPermission.WATCH, enter: ShellPermission.ENTER } as const;
const MAX_REASON_BYTES = 1024;
const MAX_TAGS = 32;

interface Deps {
  readonly access: Access;
  readonly grants: Grants;
}

export function grantService({ access, grants }: Deps): Handlers<typeof GrantService, Caller> {
  return {
    createGrant: async (request, { principal: caller }) => {
      const grant = required(request.grant, "grant");
      const { id } = await access.cluster(caller, grant.cluster);
      return messageOf(await grants.create(caller, id, wishOf(grant)));
    },

    listGrants: async (request, { principal: caller }) => {
      const clusters = await access.visible(caller, request.cluster);
      const list = ["grants", request.cluster];
      const [createdAt, id] = pageStart(request, list, ["number", "string"]) ?? [];
      const before = typeof createdAt === "number" && typeof id === "string" ? { before: { createdAt, id } } : {};
      const page = await grants.list({ clusters, limit: pageLimit(request), ...before });
      const key = page.next && [page.next.createdAt, page.next.id];
      return { grants: page.grants.map(messageOf), nextPageToken: nextPageToken(key, list) };
    },

    deleteGrant: async ({ grant }, { principal: caller }) => {
      await grants.delete(caller, (await access.grant(caller, grant)).id);
      return {};
    },
  };
}

function wishOf(grant: Grant): GrantWish {
  const { grantee, hosts, permission, expireTime, reason } = grant;
  return {
    to: toOf(grantee),
    on: onOf(hosts),
    permission: wordOf(PERMISSIONS, permission, "permission"),
    expiresAt: expireTime === undefined ? null : Math.floor(timestampMs(expireTime)),
    reason: boundedText(reason, MAX_REASON_BYTES, "a reason"),
  };
}

function toOf(grantee: Grant["grantee"]): GrantWish["to"] {
  if (grantee.case === "operator") return { operator: parseObjectName(grantee.value, "name of an operator") };
  if (grantee.case === "role") return { role: wordOf(ROLES, grantee.value, "role") };
  throw new HpsError("invalid", "the grant names neither an operator nor a role");
}

function onOf(hosts: Grant["hosts"]): GrantWish["on"] {
  if (hosts.case === "host") return { host: parseHostName(hosts.value) };
  if (hosts.case === "tags") return { tags: tagsOf(hosts.value.tags) };
  if (hosts.case === "allHosts" && hosts.value) return { tags: new Map() };
  throw new HpsError("invalid", "the grant names no hosts", {
    hint: "name a host, tags that hosts have, or all hosts of the cluster",
  });
}

/** None would be every host, which has to be said in its own word. */
function tagsOf(tags: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const pairs = Object.entries(tags);
  if (pairs.length === 0) throw new HpsError("invalid", "the grant's tags name none");
  if (pairs.length > MAX_TAGS) throw new HpsError("invalid", `the grant names more than ${MAX_TAGS} tags`);
  return new Map(pairs.map(([key, value]) => [parseTagKey(key), parseTagValue(value)]));
}

type Row = GrantPage["grants"][number];

function messageOf(row: Row): MessageInitShape<typeof GrantSchema> {
  const { id, cluster, to, permission, expiresAt, reason, createdBy, createdAt } = row;
  return {
    ...{ id, cluster, reason, creator: createdBy, permission: PERMISSIONS[permission] },
    grantee: "role" in to ? { case: "role", value: ROLES[to.role] } : { case: "operator", value: row.operator },
    hosts: hostsOf(row),
    ...(expiresAt !== null && { expireTime: timestampFromMs(expiresAt) }),
    createTime: timestampFromMs(createdAt),
  };
}

function hostsOf({ on, host }: Row): NonNullable<MessageInitShape<typeof GrantSchema>["hosts"]> {
  if ("hostId" in on) return { case: "host", value: host };
  if (on.tags.size === 0) return { case: "allHosts", value: true };
  return { case: "tags", value: { tags: Object.fromEntries(on.tags) } };
}
