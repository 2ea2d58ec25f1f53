import { describe, expect, test } from "vitest";
import { auditBounds, type NewAuditRow, pruneAudit, selectAudit } from "./audit.ts";
import { cutAuditChain, insertAudit, selectAuditChain, selectAuditHead } from "./audit-chain.ts";
import { changeBounds, insertChange, pruneChanges, selectChanges } from "./changes.ts";
import {
  type ClusterFields,
  clusterById,
  countIn,
  deleteCluster,
  imageMirrorsOf,
  insertCluster,
  OPEN_SHELL_POLICY,
  selectClusters,
  updateCluster,
} from "./clusters.ts";
import { compileForPostgres } from "./compile-for-postgres.ts";
import { deleteContacts, pruneContacts, selectContacts, upsertContact } from "./contacts.ts";
import type { Tx } from "./database.ts";
import { selectHostPlan, selectHosts } from "./host-list.ts";
import { addressOwners, macOwners } from "./host-owners.ts";
import { hostRecordsOf, selectHostRows } from "./host-rows.ts";
import {
  deleteHost,
  type HostFields,
  hostById,
  hostByMac,
  hostIdByName,
  hostsByIds,
  hostsOfInstallations,
  insertHost,
  updateHost,
} from "./hosts.ts";
import { locateCluster, locateHost, locateHostByName, locateRecord } from "./lookup.ts";
import type { Tables } from "./schema/tables.ts";

const CLUSTER: ClusterFields = {
  ...{ description: "", domain: "lab.example", admission: "armed", shellPolicy: OPEN_SHELL_POLICY },
  imageMirrors: [],
  imageKeep: 0,
};
const MAC = "52:54:00:12:34:56";
const FIELDS: HostFields = {
  ...{ name: "web01", macs: [MAC], addresses: ["192.0.2.1"], profile: "", resume: "never", network: "dhcp" },
  tags: new Map([["rack", "r1"]]),
};
const AUDIT: NewAuditRow = {
  ...{ at: 1, actor: "hpsd", action: "a", target: "", clusterId: null, address: "", reason: "", incident: "" },
  outcome: "allowed",
  details: {},
};
const TERMS = [
  { field: "state", value: "armed" },
  { field: "name", value: "web*" },
  { field: "mac", value: MAC },
  { field: "profile", value: "storage" },
  { field: "tag", key: "rack", value: "r1" },
] as const;
const HOSTS = { clusters: ["c"], terms: TERMS, descending: true, limit: 1 };

const QUERIES: Readonly<Record<string, (tx: Tx) => Promise<unknown>>> = {
  insertAudit: (tx) => insertAudit(tx, AUDIT),
  selectAudit: (tx) =>
    selectAudit(tx, { clusters: ["c"], from: 1, to: 2, actor: "a", outcome: "refused", before: 3, limit: 1 }),
  "selectAudit, followed": (tx) => selectAudit(tx, { clusters: "all", after: 3, limit: 1 }),
  auditBounds,
  selectAuditHead,
  selectAuditChain: (tx) => selectAuditChain(tx, 1, 1),
  cutAuditChain: (tx) => cutAuditChain(tx, { sequence: 1, digest: "sha256:0" }),
  pruneAudit: (tx) => pruneAudit(tx, { before: 1, keep: 1, batch: 1 }),
  insertChange: (tx) => insertChange(tx, 1, { kind: "host", objectId: "h", clusterId: null, deleted: false }),
  selectChanges: (tx) => selectChanges(tx, 0, 1),
  changeBounds,
  pruneChanges: (tx) => pruneChanges(tx, { keep: 1, batch: 1 }),
  insertCluster: (tx) => insertCluster(tx, { id: "c", name: "lab", at: 1, ...CLUSTER }),
  clusterById: (tx) => clusterById(tx, "c"),
  selectClusters: (tx) => selectClusters(tx, { clusters: ["c"], after: "a", limit: 1 }),
  imageMirrorsOf: (tx) => imageMirrorsOf(tx, "c"),
  updateCluster: (tx) => updateCluster(tx, "c", { ...CLUSTER, at: 1 }),
  deleteCluster: (tx) => deleteCluster(tx, "c"),
  countIn: (tx) => countIn(tx, "host", "c"),
  upsertContact: (tx) => upsertContact(tx, { mac: MAC, address: "192.0.2.1", inventory: {}, at: 1 }),
  pruneContacts: (tx) => pruneContacts(tx, 1),
  deleteContacts: (tx) => deleteContacts(tx, [MAC]),
  selectContacts: (tx) => selectContacts(tx, { after: { lastSeenAt: 1, mac: MAC }, limit: 1 }),
  selectHosts: (tx) => selectHosts(tx, { ...HOSTS, order: "name", after: ["lab", "web01"] }),
  "selectHosts, oldest first": (tx) => selectHosts(tx, { ...HOSTS, order: "create_time", after: [1, "h"] }),
  "selectHosts, by state": (tx) => selectHosts(tx, { ...HOSTS, order: "state", after: ["armed", "lab", "web01"] }),
  selectHostPlan,
  selectHostRows: (tx) => selectHostRows(tx).execute(),
  hostRecordsOf: async (tx) => hostRecordsOf(tx, await selectHostRows(tx).execute()),
  macOwners: (tx) => macOwners(tx, [MAC]),
  addressOwners: (tx) => addressOwners(tx, ["192.0.2.1"]),
  insertHost: (tx) => insertHost(tx, { id: "h", clusterId: "c", fields: FIELDS, at: 1 }),
  updateHost: (tx) => updateHost(tx, "h", FIELDS, 1),
  deleteHost: (tx) => deleteHost(tx, "h"),
  hostsByIds: (tx) => hostsByIds(tx, ["h"], ["c"]),
  hostById: (tx) => hostById(tx, "h"),
  hostByMac: (tx) => hostByMac(tx, MAC),
  hostIdByName: (tx) => hostIdByName(tx, "c", "web01"),
  hostsOfInstallations: (tx) => hostsOfInstallations(tx, ["i"]),
  locateCluster: (tx) => locateCluster(tx, "lab"),
  locateHost: (tx) => locateHost(tx, "h"),
  locateHostByName: (tx) => locateHostByName(tx, "lab", "web01"),
  locateRecord: (tx) => locateRecord(tx, "session", "s"),
};

/** So that what asks again about what it found does so here too. */
const FOUND = [
  {
    id: "h",
    host_id: "h",
    installationId: null,
    wipe_json: "[]",
    details_json: "{}",
    inventory_json: "{}",
    shell_json: "{}",
    image_mirrors_json: "[]",
    image_keep: 0,
    first: 1,
    last: 9,
  },
];

describe("PostgreSQL understands", () => {
  test.each(Object.entries(QUERIES))("%s", async (_, query) => {
    const compiled = await compileForPostgres<Tables>(query, [FOUND]);
    expect(compiled.length).toBeGreaterThan(0);
  });
});
