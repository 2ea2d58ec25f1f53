import type { HpsStore } from "../../store/database.ts";
import { Audit, type Clock } from "../audit/audit.ts";
import { Changes } from "../changes/changes.ts";
import { Access } from "./access.ts";
import { Authority, type AuthorityDeps } from "./authority.ts";
import { CertificateRegister } from "./certificate-register.ts";
import { Certificates } from "./certificates.ts";
import { OperatorEnrolment } from "./enrolment.ts";
import { IntermediateRotation } from "./intermediate-rotation.ts";
import { LiveCalls } from "./live-calls.ts";
import { Operators } from "./operators.ts";
import { Principals } from "./principals.ts";
import { Refusals } from "./refusals.ts";
import { Renewal } from "./renewal.ts";

/** Everything that says who is who, over one store. */
export type Identity = Awaited<ReturnType<typeof openIdentity>>;

export interface OpenIdentityOptions {
  readonly store: HpsStore;
  /** hpsd's own folder; the authority's keys lie in it. */
  readonly stateFolder: string;
  readonly clock: Clock;
  /** Of certificates, in ms, by kind; default: LIFETIME. */
  readonly lifetimes?: AuthorityDeps["lifetimes"];
}

/** `precondition` when hpsd init has not made the authority. */
export async function openIdentity({ store, stateFolder, clock, lifetimes }: OpenIdentityOptions) {
  const authority = await Authority.open({ store, stateFolder, clock, ...(lifetimes && { lifetimes }) });
  const audit = new Audit(store, clock);
  const changes = new Changes(store, clock);
  const refusals = new Refusals(audit, clock);
  const live = new LiveCalls();
  const principals = new Principals({ store, clock, trust: () => authority.trust() });
  const certificates = new Certificates({ store, changes, clock, principals, live });
  const base = { store, clock, authority, audit, changes, refusals, live, principals, certificates };
  return {
    ...base,
    access: new Access(store, refusals),
    operators: new Operators(base),
    enrolment: new OperatorEnrolment(base),
    renewal: new Renewal(base),
    rotation: new IntermediateRotation(base),
    register: new CertificateRegister(base),
  };
}
