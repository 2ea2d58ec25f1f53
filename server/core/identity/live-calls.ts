import { HpsError } from "../../../proto/values/hps-error.ts";
import { atLeast, type Caller, EVERYWHERE, type OperatorPrincipal, type Role, roleIn } from "./principal.ts";

/** Roles by cluster id, or EVERYWHERE; undefined for an operator that is gone. */
type Roles = ReadonlyMap<string, Role> | undefined;

/** Ends every call that fits, and those about to be let in: `endCalls` of the RPC server. */
export type EndCalls = (which: (caller: Caller) => boolean, reason: HpsError) => void;

/** Quick, does not throw. */
type CertificatesEnded = (gone: ReadonlySet<string>, reason: HpsError) => void;

/**
 * Tells whoever holds calls open that the right to some of them is gone: their certificate no longer opens anything, or
 * their operator's roles shrank. Certificates that expire are the servers' own to watch (`expiryOf`).
 */
export class LiveCalls {
  readonly #ends: EndCalls[] = [];
  readonly #listeners: CertificatesEnded[] = [];

  /** For each server: what `end` is asked holds for calls it is still deciding too. */
  connect(end: EndCalls): void {
    this.#ends.push(end);
  }

  /** For what goes on without a call: the fingerprints of certificates that open nothing any more. */
  onCertificatesEnded(listener: CertificatesEnded): void {
    this.#listeners.push(listener);
  }

  certificatesEnded(fingerprints: readonly string[], reason: HpsError): void {
    const gone = new Set(fingerprints);
    for (const listener of this.#listeners) listener(gone, reason);
    this.#end(({ principal }) => principal.kind !== "nobody" && gone.has(principal.certificate.fingerprint), reason);
  }

  /**
   * The operator's roles are these now. What a call was let in for is known to its handler alone, so any role less ends
   * it; its client calls again and is judged anew.
   */
  operatorChanged(name: string, roles: Roles): void {
    const reason =
      roles === undefined
        ? new HpsError("unauthenticated", `operator ${name} is no more`, { details: { reason: "gone" } })
        : new HpsError("aborted", "your roles have changed", { hint: "call again" });
    const touched = ({ principal }: Caller) =>
      principal.kind === "operator" && principal.name === name && shrank(principal, roles);
    this.#end(touched, reason);
  }

  #end(which: (caller: Caller) => boolean, reason: HpsError): void {
    for (const end of this.#ends) end(which, reason);
  }
}

/** When a caller's calls have to end by themselves: `expiry` of the RPC server. */
export function expiryOf({ principal }: Caller): Date | undefined {
  return principal.kind === "nobody" ? undefined : new Date(principal.certificate.notAfter);
}

/** Whether there is a cluster in which the operator may do less than the call was let in with. */
function shrank(before: OperatorPrincipal, roles: Roles): boolean {
  if (roles === undefined) return true;
  const after: OperatorPrincipal = { ...before, roles };
  const places = new Set([EVERYWHERE, ...before.roles.keys()]);
  return [...places].some((place) => {
    const had = roleIn(before, place);
    return had !== undefined && !atLeast(roleIn(after, place), had);
  });
}
