import { signIntermediate } from "../../certs/authority.ts";
import { readRequest } from "../../certs/csr.ts";
import { makeKey } from "../../certs/key.ts";
import { Health, HealthCheckResponse_ServingStatus } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { Role } from "../../proto/gen/hps/v1/access_pb.ts";
import { AuditService } from "../../proto/gen/hps/v1/audit_pb.ts";
import { CertificateState, IdentityService } from "../../proto/gen/hps/v1/identity_pb.ts";
import { addTestOperator } from "../../server/core/testing/test-rows.ts";
import type { Rig } from "./rig.ts";
import { type Row, row, type Try } from "./row.ts";
import { fresh } from "./subject.ts";

const identity = IdentityService.method;
const audit = AuditService.method;

const YEAR = 365 * 86_400_000;
const TESTER = { actor: "test", action: "test", address: "" };
const ofClusterA = ({ rig }: Try) => `cluster:${rig.clusters.a}`;
const roleOf = ({ rig }: Try, name: string) =>
  rig.book.value(
    "SELECT role FROM role_binding JOIN operator ON operator.id = operator_id WHERE operator.name = ?",
    name,
  );
const certificateState = ({ rig }: Try, serial: string) =>
  rig.book.value("SELECT kind || ' ' || state FROM certificate WHERE serial = ?", serial);

/** One more operator, without any role. */
async function someOperator({ core }: Rig): Promise<string> {
  const name = `o${fresh()}`;
  await addTestOperator(core.store, name, {});
  return name;
}

async function someCertificate({ core }: Rig): Promise<string> {
  const name = `o${fresh()}`;
  const { publicKey } = makeKey();
  const signed = await core.authority.sign({ kind: "operator", subject: name, publicKey, lifetimeMs: 3_600_000 });
  await core.store.write((tx) => core.certificates.record(tx, signed, { state: "valid" }));
  return signed.serial;
}

/** Prepared, and signed with the root's key. */
async function newIntermediate({ core, root, clock }: Rig): Promise<string> {
  const pem = await core.rotation.prepare(TESTER);
  const publicKey = readRequest(Buffer.from(pem.replaceAll(/-----[^-]+-----/g, "")));
  return (await signIntermediate(root, publicKey, { name: "HPS issuing", now: clock(), lifetime: YEAR })).toString();
}

export const IDENTITY_ROWS: readonly Row[] = [
  row(identity.whoAmI, {
    wish: { state: "installing" },
    request: () => ({}),
    shows: (reply, { peer }) => reply.identity === peer.actor,
  }),
  row(identity.getOperator, {
    extra: someOperator,
    request: ({ subject }) => ({ name: subject.extra }),
    shows: ({ name }, { subject }) => name === subject.extra,
  }),
  row(identity.listOperators, {
    request: () => ({ pageSize: 1000 }),
    shows: ({ operators }) => operators.some(({ name }) => name === "viewer"),
  }),
  row(identity.inviteOperator, {
    request: ({ number }) => ({ name: `i${number}`, roles: [{ cluster: "a", role: Role.VIEWER }] }),
    shows: ({ token }, t) => token !== "" && roleOf(t, `i${t.number}`) === "viewer",
    changes: true,
  }),
  row(identity.setOperatorRoles, {
    extra: someOperator,
    request: ({ subject }) => ({ name: subject.extra, roles: [{ cluster: "a", role: Role.ADMIN }] }),
    shows: (_reply, t) => roleOf(t, t.subject.extra) === "admin",
    changes: true,
  }),
  row(identity.deleteOperator, {
    extra: someOperator,
    request: ({ subject }) => ({ name: subject.extra }),
    shows: (_reply, { rig, subject }) =>
      rig.book.value("SELECT id FROM operator WHERE name = ?", subject.extra) === undefined,
    changes: true,
  }),
  row(identity.listCertificates, {
    request: ({ rig }) => ({ identity: rig.core.authority.uriOf("operator", "allAdmin") }),
    shows: ({ certificates }, { rig }) =>
      certificates.length > 0 &&
      certificates.every((each) => each.identity === rig.core.authority.uriOf("operator", "allAdmin")),
  }),
  row(identity.revokeCertificate, {
    extra: someCertificate,
    request: ({ subject }) => ({ serial: subject.extra, reason: "test" }),
    shows: ({ state }, t) =>
      state === CertificateState.REVOKED && certificateState(t, t.subject.extra) === "operator revoked",
    changes: true,
  }),
  row(identity.prepareIntermediate, {
    request: () => ({}),
    shows: ({ certificateRequest }, { rig }) =>
      certificateRequest.startsWith("-----BEGIN CERTIFICATE REQUEST") &&
      rig.book.value("SELECT id FROM intermediate WHERE state = 'prepared'") !== undefined,
    changes: true,
  }),
  row(identity.installIntermediate, {
    extra: newIntermediate,
    request: ({ subject }) => ({ certificate: subject.extra }),
    shows: ({ serverCertificate }, t) =>
      certificateState(t, serverCertificate?.serial ?? "") === "server valid" &&
      String(t.rig.book.value("SELECT pem FROM intermediate WHERE state = 'active'")).trim() === t.subject.extra.trim(),
    changes: true,
    // The intermediate, and the server certificate it issued.
    events: () => 2,
  }),
  row(identity.rotateServerCertificate, {
    request: () => ({}),
    shows: ({ serial }, t) => certificateState(t, serial) === "server valid",
    changes: true,
  }),
];

/** An event of cluster b that came after the object's: who sees b alone sees this first. */
async function eventInB({ core, clusters }: Rig): Promise<string> {
  const target = `host:b${fresh()}`;
  await core.store.write((tx) => core.audit.allowed(tx, TESTER, { target, clusterId: clusters.b }));
  return target;
}

const isOfSubject = ({ target }: { readonly target: string }, { subject }: Try) => target === `host:${subject.hostId}`;

export const AUDIT_ROWS: readonly Row[] = [
  row(audit.listAuditEvents, {
    request: ({ subject }) => ({ cluster: "a", target: `host:${subject.hostId}` }),
    shows: ({ events }, t) => events.some((event) => isOfSubject(event, t)),
    target: ofClusterA,
  }),
  row(audit.listAuditEvents, {
    variant: "of all",
    request: ({ subject }) => ({ target: `host:${subject.hostId}` }),
    shows: ({ events }, t) => events.some((event) => isOfSubject(event, t)),
  }),
  row(audit.watchAuditEvents, {
    request: ({ subject }) => ({ cluster: "a", afterSequence: BigInt(subject.before.audit) }),
    shows: isOfSubject,
    target: ofClusterA,
  }),
  row(audit.watchAuditEvents, {
    variant: "of all",
    extra: eventInB,
    request: ({ subject }) => ({ afterSequence: BigInt(subject.before.audit) }),
    shows: isOfSubject,
    isPast: ({ target }, { subject }) => target === subject.extra,
  }),
  row(audit.verifyAuditLog, {
    request: () => ({}),
    shows: ({ headDigest, lastSequence }, { rig }) =>
      headDigest !== "" && lastSequence === BigInt(Number(rig.book.value("SELECT max(sequence) FROM audit"))),
  }),
];

const { SERVING } = HealthCheckResponse_ServingStatus;

export const FOREIGN_ROWS: readonly Row[] = [
  row(Health.method.check, { request: () => ({}), shows: ({ status }) => status === SERVING }),
  row(Health.method.list, {
    request: () => ({}),
    shows: ({ statuses }) => Object.values(statuses).some(({ status }) => status === SERVING),
  }),
  row(Health.method.watch, { request: () => ({}), shows: ({ status }) => status === SERVING }),
  row(ServerReflection.method.serverReflectionInfo, {
    request: () => ({ messageRequest: { case: "listServices" as const, value: "" } }),
    shows: ({ messageResponse }) =>
      messageResponse.case === "listServicesResponse" &&
      messageResponse.value.service.some(({ name }) => name === "hps.v1.HostService"),
  }),
];
