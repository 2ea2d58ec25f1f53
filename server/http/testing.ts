import { Registry } from "prom-client";
import { makeKey, privateKeyPem } from "../../certs/key.ts";
import { OperatorEnrolment } from "../core/identity/enrolment.ts";
import { LIFETIME } from "../core/identity/lifetimes.ts";
import { Operators } from "../core/identity/operators.ts";
import { Renewal } from "../core/identity/renewal.ts";
import type { TestIdentity } from "../core/testing/test-identity.ts";
import type { HttpIncident } from "./error-answer.ts";
import { type EstDeps, estRoutes } from "./est.ts";
import { type DoorApp, HttpsDoor, type HttpsDoorOptions } from "./https-door.ts";
import { monitoringRoutes, type RecordsRefusal } from "./monitoring.ts";

export interface TestDoor extends AsyncDisposable {
  readonly door: HttpsDoor;
  readonly url: string;
  readonly operators: Operators;
  readonly incidents: HttpIncident[];
}

export interface TestDoorOptions {
  readonly enrolByClaim?: EstDeps["enrolByClaim"];
  readonly routes?: readonly ((app: DoorApp) => void)[];
  readonly limits?: NonNullable<HttpsDoorOptions["limits"]>;
}

/** For tests: the real HTTPS door over real identity modules on 127.0.0.1; who claims is up to the test. */
export async function openTestDoor(identity: TestIdentity, options: TestDoorOptions = {}): Promise<TestDoor> {
  const { authority, principals, refusals } = identity;
  const enrolment = new OperatorEnrolment(identity);
  const renewal = new Renewal(identity);
  const keys = makeKey();
  const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };
  const request = { kind: "server", subject: "hpsd", publicKey: keys.publicKey, ...names } as const;
  const signed = await authority.sign({ ...request, lifetimeMs: LIFETIME.server });
  const incidents: HttpIncident[] = [];
  const refused: RecordsRefusal = (who, reason) => refusals.refused(who, { reason });
  const est = estRoutes({
    authorities: () => authority.certificates,
    enrolByClaim: options.enrolByClaim ?? (() => Promise.reject(new TypeError("no claims in this test"))),
    enrolByInvitation: (ask) => enrolment.byInvitation(ask),
    renew: (ask) => renewal.renew(ask),
    refused,
  });
  const monitoring = monitoringRoutes({
    registry: new Registry(),
    allowed: () => true,
    healthy: () => true,
    resolve: (chain) => principals.resolve(chain),
    refused,
  });
  const door = await HttpsDoor.open({
    host: "127.0.0.1",
    port: 0,
    certificate: { key: privateKeyPem(keys.privateKey), chain: signed.chainPem },
    routes: [est, monitoring, ...(options.routes ?? [])],
    onError: (incident) => incidents.push(incident),
    limits: { perMinute: 1000, ...options.limits },
  });
  const operators = new Operators(identity);
  const dispose = () => door.close(1000);
  return { door, operators, incidents, url: `https://localhost:${door.port}`, [Symbol.asyncDispose]: dispose };
}
