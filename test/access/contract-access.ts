/** The matrix as the contract's access options have it. What is written in expected-access.ts must come out of them. */
import { getOption, hasOption } from "@bufbuild/protobuf";
import { access, PeerKind, Role as RoleNumber, Scope } from "../../proto/gen/hps/v1/access_pb.ts";
import { atLeast, type Role } from "../../server/core/identity/principal.ts";
import type { Cell } from "./cell.ts";
import type { Who } from "./identities.ts";
import type { Row } from "./row.ts";

const KINDS = { operator: PeerKind.OPERATOR, installer: PeerKind.INSTALLER, host: PeerKind.HOST } as const;
const ROLES = new Map<RoleNumber, Role>([
  [RoleNumber.VIEWER, "viewer"],
  [RoleNumber.OPERATOR, "operator"],
  [RoleNumber.ADMIN, "admin"],
]);

/** Undefined for a method of a protocol that is not ours. */
export function cellOfContract({ method, target, granted, shared }: Row, who: Who): Cell | undefined {
  if (!hasOption(method, access)) return undefined;
  const { kinds, role, scope, orGrant } = getOption(method, access);
  const { kind, certificate, roles = {} } = who;
  if (kind === "nobody" || certificate === "bad") return "U";
  if (!kinds.includes(KINDS[kind])) return "D";
  // What ends the waiting is the one thing a certificate that waits is good for.
  if (certificate === "waiting" && method.name !== "Attach") return "U";
  const names = target !== undefined;
  if (kind !== "operator") return names && !who.own ? "N" : "ok";
  const least = ROLES.get(role) ?? "admin";
  const needs = granted ? "viewer" : least;
  if (scope === Scope.SELF) return "ok";
  if (scope === Scope.GLOBAL) return atLeast(roles["*"], needs) ? "ok" : "D";
  // The interceptor knows of no grants: it lets in whoever could have one.
  if (!Object.values(roles).some((each) => atLeast(each, orGrant ? "viewer" : least))) return "D";
  if (shared) return !names || atLeast(roles["*"], "admin") ? "ok" : "d";
  const here = roles.a ?? roles["*"];
  if (atLeast(here, needs)) return "ok";
  if (!names) return "-";
  return here === undefined ? "N" : "d";
}
