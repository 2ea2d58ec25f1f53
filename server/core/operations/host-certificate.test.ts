import { expect, test } from "vitest";
import { makeRequest } from "../../../certs/csr.ts";
import { readCertificatesPem } from "../../../certs/files.ts";
import { makeKey } from "../../../certs/key.ts";
import { selectCertificate } from "../../store/certificates.ts";
import { installerCaller } from "../testing/callers.ts";
import { addTestCluster, addTestHost } from "../testing/open-test-store.ts";
import { openTestIdentity } from "../testing/test-identity.ts";
import { addTestInstallation } from "../testing/test-rows.ts";
import { issueHostCertificate } from "./host-certificate.ts";

test("a working installer gets a certificate for its host, which waits; any other gets none", async () => {
  await using identity = await openTestIdentity();
  const { store } = identity;
  const clusterId = await addTestCluster(store);
  const hostId = await addTestHost(store, clusterId);
  const installationId = await addTestInstallation(store, hostId, clusterId);
  const caller = installerCaller({ installationId, hostId, clusterId });
  const keys = makeKey();
  const pem = await issueHostCertificate(identity, caller, makeRequest(keys));
  const [leaf] = readCertificatesPem(pem, "the chain");
  expect(leaf?.subjectAltName).toBe(`URI:spiffe://test.example/host/${hostId}`);
  expect(leaf?.checkPrivateKey(keys.privateKey)).toBe(true);
  const serial = leaf?.serialNumber.toLowerCase() ?? "";
  expect(await store.read((db) => selectCertificate(db, serial))).toMatchObject({
    state: "waiting",
    hostId,
    clusterId,
  });

  await expect(issueHostCertificate(identity, caller, Buffer.from("x"))).rejects.toMatchObject({ code: "invalid" });
  await store.write(async (tx) => {
    await tx.updateTable("installation").set({ state: "failed" }).where("id", "=", installationId).execute();
  });
  const late = issueHostCertificate(identity, caller, makeRequest(makeKey()));
  await expect(late).rejects.toMatchObject({ code: "precondition" });
});
