import { Admission, ClusterService } from "../../proto/gen/hps/v1/cluster_pb.ts";
import { HostService } from "../../proto/gen/hps/v1/host_pb.ts";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { parseIpAddress } from "../../proto/values/ip-address.ts";
import { parseMac } from "../../proto/values/mac.ts";
import { parseObjectName } from "../../proto/values/object-name.ts";
import { WHO, type Who, type WhoName } from "./identities.ts";
import { type Rig, ROOT } from "./rig.ts";
import { type Row, row, type Try } from "./row.ts";
import { fresh, macOf, plainHost, type Wish } from "./subject.ts";

const cluster = ClusterService.method;
const host = HostService.method;

export const ofClusterA = ({ rig }: Try) => `cluster:${rig.clusters.a}`;
export const ofHost = ({ subject }: Try) => `host:${subject.hostId}`;
/** A host that rests has no installer; the one that asks then has an object of its own. */
const resting = (who: WhoName): Wish => (who === "installer" ? { state: "installing" } : {});
const stateOf = ({ rig, subject }: Try) =>
  rig.book.value("SELECT state FROM installation WHERE host_id = ? AND outcome = 'open'", subject.hostId);
const isGone = ({ rig, subject }: Try) =>
  rig.book.value("SELECT id FROM host WHERE id = ?", subject.hostId) === undefined;

export const CLUSTER_ROWS: readonly Row[] = [
  row(cluster.getCluster, {
    request: () => ({ name: "a" }),
    shows: ({ id }, { rig }) => id === rig.clusters.a,
    target: ofClusterA,
  }),
  row(cluster.listClusters, {
    request: () => ({ pageSize: 1000 }),
    shows: ({ clusters }, { rig }) => clusters.some(({ id }) => id === rig.clusters.a),
  }),
  row(cluster.createCluster, {
    request: ({ number }) => ({
      cluster: { name: `c${number}`, domain: `c${number}.example`, admission: Admission.ARMED },
    }),
    shows: ({ id }, { rig, number }) => rig.book.value("SELECT id FROM cluster WHERE name = ?", `c${number}`) === id,
    changes: true,
  }),
  row(cluster.updateCluster, {
    request: ({ number }) => ({
      cluster: { name: "a", description: `of ${number}` },
      updateMask: { paths: ["description"] },
    }),
    shows: (_reply, { rig, number }) =>
      rig.book.value("SELECT description FROM cluster WHERE id = ?", rig.clusters.a) === `of ${number}`,
    target: ofClusterA,
    changes: true,
  }),
  row(cluster.deleteCluster, {
    extra: emptyCluster,
    request: ({ subject }) => ({ name: subject.extra }),
    shows: (_reply, { rig, subject }) =>
      rig.book.value("SELECT id FROM cluster WHERE name = ?", subject.extra) === undefined,
    changes: true,
  }),
];

/** In which everybody has the role that they have in a. */
async function emptyCluster({ core }: Rig): Promise<string> {
  const name = `x${fresh()}`;
  const who = { actor: "test", action: "test", address: "" };
  const settings = { description: "", domain: parseDomainName("x.example"), admission: "armed" } as const;
  await core.clusters.create(who, parseObjectName(name), settings);
  for (const [operator, { roles = {} }] of Object.entries<Who>(WHO)) {
    if (roles.a === undefined) continue;
    const bindings = Object.entries({ ...roles, [name]: roles.a }).map(([cluster, role]) => ({ cluster, role }));
    await core.operators.setRoles(who, operator, bindings);
  }
  return name;
}

/** A host of cluster b that came after the object: who sees b alone sees this first. */
async function hostInB({ core, clusters }: Rig): Promise<string> {
  const number = fresh();
  return (await core.hosts.create(ROOT, clusters.b, plainHost(number))).id;
}

export const HOST_ROWS: readonly Row[] = [
  row(host.getHost, {
    request: ({ subject }) => ({ host: subject.hostId }),
    shows: ({ id }, { subject }) => id === subject.hostId,
    target: ofHost,
  }),
  row(host.getHost, {
    variant: "by name",
    request: ({ subject }) => ({ host: `a/${subject.hostName}` }),
    shows: ({ id }, { subject }) => id === subject.hostId,
    target: ofHost,
  }),
  row(host.listHosts, {
    request: ({ subject }) => ({ cluster: "a", filter: `name=${subject.hostName}` }),
    shows: ({ hosts }, { subject }) => hosts.some(({ id }) => id === subject.hostId),
    target: ofClusterA,
  }),
  row(host.listHosts, {
    variant: "of all",
    request: () => ({ pageSize: 1000 }),
    shows: ({ hosts }, { subject }) => hosts.some(({ id }) => id === subject.hostId),
  }),
  row(host.createHost, {
    request: ({ number }) => ({ host: { cluster: "a", name: `n${number}`, macs: [macOf(number)] } }),
    shows: ({ id }, { rig, number }) =>
      rig.book.value("SELECT host_id FROM host_mac WHERE mac = ?", macOf(number)) === id,
    target: ofClusterA,
    changes: true,
  }),
  row(host.updateHost, {
    request: ({ subject, number }) => ({
      host: { id: subject.hostId, profile: `p${number}` },
      updateMask: { paths: ["profile"] },
    }),
    shows: (_reply, { rig, subject, number }) =>
      rig.book.value("SELECT profile FROM host WHERE id = ?", subject.hostId) === `p${number}`,
    target: ofHost,
    changes: true,
  }),
  row(host.deleteHost, {
    wish: resting,
    request: ({ subject }) => ({ host: subject.hostId }),
    shows: (_reply, t) => isGone(t),
    target: ofHost,
    changes: true,
  }),
  row(host.armHost, {
    wish: resting,
    request: ({ subject }) => ({ host: subject.hostId, image: "debian:12" }),
    shows: ({ state }, t) => state === InstallationState.ARMED && stateOf(t) === "armed",
    target: ofHost,
    changes: true,
  }),
  row(host.disarmHost, {
    wish: { state: "armed" },
    request: ({ subject }) => ({ host: subject.hostId }),
    shows: ({ id }, t) => id === t.subject.hostId && stateOf(t) === undefined,
    target: ofHost,
    changes: true,
  }),
  row(host.rebootHost, {
    wish: { agent: "attached" },
    request: ({ subject }) => ({ host: subject.hostId, network: true }),
    shows: (_reply, { subject }) => subject.told.includes("reboot"),
    target: ofHost,
    changes: "elsewhere",
  }),
  row(host.watchHosts, {
    request: ({ subject }) => ({ cluster: "a", afterSequence: BigInt(subject.before.change) }),
    shows: ({ hostId }, { subject }) => hostId === subject.hostId,
    target: ofClusterA,
  }),
  row(host.watchHosts, {
    variant: "of all",
    extra: hostInB,
    request: ({ subject }) => ({ afterSequence: BigInt(subject.before.change) }),
    shows: ({ hostId }, { subject }) => hostId === subject.hostId,
    isPast: ({ hostId }, { subject }) => hostId === subject.extra,
  }),
  row(host.listContacts, {
    extra: async ({ core }) => {
      const mac = macOf(fresh());
      await core.contacts.seen(parseMac(mac), parseIpAddress("192.0.2.9"), new Map());
      return mac;
    },
    request: () => ({ pageSize: 1000 }),
    shows: ({ contacts }, { subject }) => contacts.some(({ mac }) => mac === subject.extra),
  }),
];
