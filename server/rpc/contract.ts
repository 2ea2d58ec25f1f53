import {
  type DescField,
  type DescMessage,
  type DescMethod,
  getOption,
  hasOption,
  ScalarType,
} from "@bufbuild/protobuf";
import {
  type Access,
  access,
  PeerKind,
  Resource,
  Role as RoleNumber,
  Scope,
} from "../../proto/gen/hps/v1/access_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Principal, Role } from "../core/identity/principal.ts";

/** Who may call one method. */
export interface MethodRule {
  readonly kinds: readonly Principal["kind"][];
  /** The least role of an operator; viewer where a grant may stand in for more, which the core decides. */
  readonly needs: Role;
  /** Where it must be held: nowhere in particular, in one cluster at least, or in all. */
  readonly reach: "self" | "cluster" | "global";
  /** Whether a host may call while its certificate waits for its first attach. */
  readonly waiting: boolean;
}

const ANYONE: readonly Principal["kind"][] = ["nobody", "operator", "installer", "host"];
const NO_OBJECT = { reach: "self", needs: "viewer", waiting: false } as const;

/**
 * Methods of protocols that are not ours and carry no option. A load balancer has no certificate and learns whether hpsd
 * serves, in one short call; what stays open, and what tells of our methods, is for operators.
 */
const FOREIGN: Readonly<Record<string, MethodRule>> = {
  "grpc.health.v1.Health/Check": { ...NO_OBJECT, kinds: ANYONE, waiting: true },
  "grpc.health.v1.Health/List": { ...NO_OBJECT, kinds: ["operator"] },
  "grpc.health.v1.Health/Watch": { ...NO_OBJECT, kinds: ["operator"] },
  "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": { ...NO_OBJECT, kinds: ["operator"] },
};

/** The one method a host may call with a certificate that waits: it is what ends the waiting. */
const FIRST_CALL_OF_A_HOST = "hps.v1.AgentService/Attach";

const KINDS = {
  [PeerKind.OPERATOR]: "operator",
  [PeerKind.INSTALLER]: "installer",
  [PeerKind.HOST]: "host",
} as const satisfies Partial<Record<PeerKind, Principal["kind"]>>;

const ROLE_NAMES = {
  [RoleNumber.VIEWER]: "viewer",
  [RoleNumber.OPERATOR]: "operator",
  [RoleNumber.ADMIN]: "admin",
} as const satisfies Partial<Record<RoleNumber, Role>>;

const REACH = {
  [Scope.SELF]: "self",
  [Scope.CLUSTER]: "cluster",
  [Scope.GLOBAL]: "global",
} as const satisfies Partial<Record<Scope, MethodRule["reach"]>>;

/** A number from a descriptor may be none of them. */
const RESOURCES: readonly number[] = Object.values(Resource);

/** `hps.v1.HostService/ArmHost`: how audit and rules name a method. */
export function actionOf(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** Refuses to start (`internal`) when a method has no rule, or one that cannot be kept. */
export function checkContract(methods: readonly DescMethod[]): void {
  for (const method of methods) readRule(method);
}

const rules = new WeakMap<DescMethod, MethodRule>();

/** The rule of a method, from its access option or the table of foreign methods. `internal` when it has none. */
export function ruleOf(method: DescMethod): MethodRule {
  const rule = rules.get(method) ?? readRule(method);
  rules.set(method, rule);
  return rule;
}

function readRule(method: DescMethod): MethodRule {
  const action = actionOf(method);
  const foreign = FOREIGN[action];
  if (foreign !== undefined) return foreign;
  if (!hasOption(method, access)) throw broken(method, "has no access option");
  const option = getOption(method, access);
  const kinds = option.kinds.map((kind) => named(KINDS, kind) ?? fail(method, "names an unknown kind"));
  if (kinds.length === 0) throw broken(method, "lets in no kind of identity");
  const role = named(ROLE_NAMES, option.role);
  if ((role !== undefined) !== kinds.includes("operator")) throw broken(method, "must name a role just for operators");
  const reach = named(REACH, option.scope) ?? fail(method, "has no scope");
  checkTarget(method, option);
  const needs = option.orGrant ? "viewer" : (role ?? "admin");
  return { kinds, needs, reach, waiting: action === FIRST_CALL_OF_A_HOST };
}

/** An enum's number may be any, so the table is asked and not indexed. */
function named<Name extends string>(table: Readonly<Record<number, Name>>, value: number): Name | undefined {
  return table[value];
}

function checkTarget(method: DescMethod, { target, resource, orGrant }: Access): void {
  const known = RESOURCES.includes(resource) && resource !== Resource.UNSPECIFIED;
  if (orGrant && resource !== Resource.HOST && resource !== Resource.SESSION) {
    throw broken(method, "lets grants stand in for a role and names no host or session");
  }
  if ((target !== "") !== known) {
    throw broken(method, "must name a target and its resource, or neither");
  }
  if (target === "") return;
  let message: DescMessage | undefined = method.input;
  let endsInText = false;
  for (const name of target.split(".")) {
    const field: DescField | undefined = message?.fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw broken(method, `has no field ${target} in its request`);
    message = field.fieldKind === "message" ? field.message : undefined;
    endsInText = field.fieldKind === "scalar" && field.scalar === ScalarType.STRING;
  }
  if (!endsInText) throw broken(method, `has a target ${target} that is not text`);
}

function fail(method: DescMethod, what: string): never {
  throw broken(method, what);
}

function broken(method: DescMethod, what: string): HpsError {
  return new HpsError("internal", `${actionOf(method)} ${what}; hpsd does not start without a rule for every method`);
}
