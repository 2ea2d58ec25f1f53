import type { IncomingCall } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { actorOfCaller } from "../core/audit/audit.ts";
import {
  atLeast,
  type Caller,
  clustersOf,
  EVERYWHERE,
  type OperatorPrincipal,
  type Principal,
} from "../core/identity/principal.ts";
import type { Principals } from "../core/identity/principals.ts";
import type { RecordsRefusals } from "../core/identity/refusals.ts";
import { actionOf, type MethodRule, ruleOf } from "./contract.ts";

export interface AuthorizeDeps {
  readonly principals: Pick<Principals, "resolve">;
  readonly refusals: RecordsRefusals;
}

/** What a call to no method of ours is: its path is hostile text. */
const UNKNOWN_METHOD: { readonly action: string; readonly rule: MethodRule } = {
  action: "unknown method",
  rule: { kinds: ["operator", "installer", "host"], needs: "viewer", reach: "self", waiting: false },
};

/**
 * The one gate before every RPC: who is it, may this kind and this role call this method at all. Which object it may
 * have is for `Access`. A refusal is one audit event, and its incident id is told in the error's details.
 */
export function createAuthorize(deps: AuthorizeDeps): (call: IncomingCall) => Promise<Caller> {
  return async ({ method, peer: { address, certificateChain } }) => {
    const { action, rule } = method === undefined ? UNKNOWN_METHOD : { action: actionOf(method), rule: ruleOf(method) };
    const asked = { action, address, needs: rule.needs };
    const principal = await whoIs(deps, certificateChain, { ...asked, principal: { kind: "nobody" } }, rule);
    const caller = { ...asked, principal };
    const objection = objectionTo(principal, rule);
    if (objection !== undefined) throw await refuse(deps, caller, objection);
    return caller;
  };
}

/** What everyone may ask, one with a bad certificate may ask too. */
async function whoIs(
  deps: AuthorizeDeps,
  chain: readonly Buffer[],
  asked: Caller,
  rule: MethodRule,
): Promise<Principal> {
  try {
    return await deps.principals.resolve(chain);
  } catch (error) {
    if (!(error instanceof HpsError) || error.code !== "unauthenticated") throw error;
    if (rule.kinds.includes("nobody")) return asked.principal;
    throw await refuse(deps, asked, error);
  }
}

function objectionTo(principal: Principal, rule: MethodRule): HpsError | undefined {
  const { kind } = principal;
  if (!rule.kinds.includes(kind)) {
    return kind === "nobody"
      ? new HpsError("unauthenticated", "no client certificate", {
          hint: "hpsctl login gives you one",
          details: { reason: "no-certificate" },
        })
      : new HpsError("denied", `not for ${kind === "operator" ? "an" : "a"} ${kind}`, { details: { reason: "kind" } });
  }
  if (kind === "host" && principal.waiting === true && !rule.waiting) {
    return new HpsError("unauthenticated", "your certificate is not in use yet: attach first", {
      details: { reason: "waiting" },
    });
  }
  if (kind !== "operator" || hasRole(principal, rule)) return undefined;
  const where = rule.reach === "global" ? "in all clusters" : "in a cluster";
  return new HpsError("denied", `needs role ${rule.needs} ${where}`, {
    hint: "ask an admin",
    details: { reason: "role" },
  });
}

function hasRole(principal: OperatorPrincipal, { reach, needs }: MethodRule): boolean {
  if (reach === "self") return true;
  if (reach === "global") return atLeast(principal.roles.get(EVERYWHERE), needs);
  return clustersOf(principal, needs).length > 0;
}

/** The same refusal with the incident of its audit event. */
export async function refuse(
  { refusals }: Pick<AuthorizeDeps, "refusals">,
  caller: Caller,
  error: HpsError,
): Promise<HpsError> {
  const who = actorOfCaller(caller);
  const actor = error.details.identity ?? who.actor;
  const reason = error.details.reason ?? "";
  const incident = await refusals.refused({ ...who, actor }, { reason: error.message, details: { reason } });
  return new HpsError(error.code, error.message, {
    hint: error.hint,
    details: { ...error.details, incident },
    cause: error.cause,
  });
}
