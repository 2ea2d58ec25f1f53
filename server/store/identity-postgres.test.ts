import { expect, test } from "vitest";
import {
  insertCertificate,
  pruneCertificates,
  selectCertificate,
  selectCertificates,
  updateCertificate,
} from "./certificates.ts";
import { compileForPostgres } from "./compile-for-postgres.ts";
import type { Tx } from "./database.ts";
import { activateIntermediate, deletePrepared, insertIntermediate, selectIntermediates } from "./intermediates.ts";
import {
  countOpenInvitations,
  insertInvitation,
  pruneInvitations,
  selectInvitation,
  useInvitation,
} from "./invitations.ts";
import { locateOpenInstallation } from "./open-installation.ts";
import {
  countOtherGlobalAdmins,
  deleteOperator,
  insertOperator,
  replaceBindings,
  selectBindings,
  selectNamedBindings,
  selectOperator,
  selectOperators,
} from "./operators.ts";
import type { Tables } from "./schema/tables.ts";
import { insertSetting, selectSetting } from "./settings.ts";

const certificate = {
  serial: "01",
  kind: "host",
  subject: "h1",
  hostId: "h1",
  clusterId: null,
  state: "waiting",
  fingerprint: "f",
  publicKey: "k",
  notBefore: 0,
  notAfter: 9,
  issuedAt: 1,
  revokedAt: null,
  revokeReason: "",
  pem: "",
  replaces: null,
} as const;

const everyField = {
  serial: "01",
  kind: "host",
  subject: "h1",
  hostId: "h1",
  publicKey: "k",
  replaces: "00",
  states: ["valid"],
  endsAfter: 5,
  before: { issuedAt: 1, serial: "01" },
  limit: 3,
} as const;

const invitation = {
  tokenHash: "t",
  operatorId: "o",
  createdAt: 1,
  expiresAt: 2,
  publicKey: null,
  certificateSerial: null,
};

const queries: Readonly<Record<string, (tx: Tx) => Promise<unknown>>> = {
  insertCertificate: (tx) => insertCertificate(tx, certificate),
  selectCertificate: (tx) => selectCertificate(tx, "01"),
  selectCertificates: (tx) => selectCertificates(tx, everyField),
  updateCertificate: (tx) => updateCertificate(tx, "01", { state: "revoked", revokedAt: 1, revokeReason: "lost" }),
  pruneCertificates: (tx) => pruneCertificates(tx, 1),
  insertIntermediate: (tx) =>
    insertIntermediate(tx, { id: "i", state: "prepared", pem: null, notAfter: null, createdAt: 1 }),
  selectIntermediates,
  activateIntermediate: (tx) => activateIntermediate(tx, { id: "i", pem: "", notAfter: 1 }),
  deletePrepared,
  insertInvitation: (tx) => insertInvitation(tx, invitation),
  selectInvitation: (tx) => selectInvitation(tx, "t"),
  useInvitation: (tx) => useInvitation(tx, "t", { publicKey: "k", certificateSerial: "01" }),
  countOpenInvitations: (tx) => countOpenInvitations(tx, "o"),
  pruneInvitations: (tx) => pruneInvitations(tx, 1),
  locateOpenInstallation: (tx) => locateOpenInstallation(tx, "i"),
  insertOperator: (tx) => insertOperator(tx, { id: "o", name: "alice", createdAt: 1 }),
  selectOperator: (tx) => selectOperator(tx, "alice"),
  selectOperators: (tx) => selectOperators(tx, "", 3),
  deleteOperator: (tx) => deleteOperator(tx, "o"),
  selectBindings: (tx) => selectBindings(tx, "o"),
  selectNamedBindings: (tx) => selectNamedBindings(tx, "o"),
  replaceBindings: (tx) => replaceBindings(tx, "o", [{ clusterId: "*", role: "admin" }]),
  countOtherGlobalAdmins: (tx) => countOtherGlobalAdmins(tx, "o", 1),
  selectSetting: (tx) => selectSetting(tx, "trust-domain"),
  insertSetting: (tx) => insertSetting(tx, "trust-domain", "example.org"),
};

test.each(Object.entries(queries))("%s is portable", async (_name, query) => {
  expect((await compileForPostgres<Tables>(query)).length).toBeGreaterThan(0);
});
