import { expect, test } from "vitest";
import { selectAudit } from "../../store/audit.ts";
import { Audit } from "../audit/audit.ts";
import { hostCaller, installerCaller, operatorCaller } from "../testing/callers.ts";
import { addTestCluster, addTestHost, openTestStore } from "../testing/open-test-store.ts";
import { addTestInstallation } from "../testing/test-rows.ts";
import { Access } from "./access.ts";

async function rack() {
  const store = await openTestStore();
  const lab = await addTestCluster(store, "lab");
  const other = await addTestCluster(store, "other");
  const hostId = await addTestHost(store, lab, { name: "web01" });
  const otherHost = await addTestHost(store, lab, { name: "web02" });
  const installationId = await addTestInstallation(store, hostId, lab);
  const access = new Access(store, new Audit(store, Date.now));
  const refusals = () =>
    store.read((db) => selectAudit(db, { clusters: "all", outcome: "refused", after: 0, limit: 9 }));
  return {
    access,
    refusals,
    lab,
    other,
    hostId,
    otherHost,
    installationId,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

test("an operator has what is in its clusters, by its role there; the rest does not exist", async () => {
  await using parts = await rack();
  const { access, refusals, lab, other, hostId } = parts;
  const found = { id: hostId, clusterId: lab, hostId };
  expect(await access.host(operatorCaller("viewer", lab), hostId)).toEqual(found);
  expect(await access.host(operatorCaller("viewer"), "lab/web01")).toEqual(found);
  const stranger = operatorCaller("admin", other);
  await expect(access.host(stranger, hostId)).rejects.toMatchObject({ code: "not-found", details: {} });
  expect(await refusals()).toMatchObject([{ target: `host:${hostId}`, clusterId: lab }]);
  await expect(access.host(stranger, "lab/none")).rejects.toMatchObject({ code: "not-found", details: {} });
  expect(await refusals()).toHaveLength(1);
  const viewer = { ...operatorCaller("viewer", lab), needs: "admin" } as const;
  const denied: unknown = await access.cluster(viewer, "lab").catch((error: unknown) => error);
  const events = await refusals();
  expect(denied).toMatchObject({ code: "denied", details: { incident: events[1]?.incident } });
});

test("an agent has what is its own", async () => {
  await using parts = await rack();
  const { access, refusals, lab, hostId, otherHost, installationId } = parts;
  const host = hostCaller({ hostId, clusterId: lab });
  const installer = installerCaller({ hostId, clusterId: lab, installationId });
  expect(await access.host(host, hostId)).toMatchObject({ id: hostId });
  expect(await access.installation(installer, installationId)).toMatchObject({ id: installationId });
  for (const caller of [host, installer]) {
    await expect(access.host(caller, otherHost)).rejects.toMatchObject({ code: "not-found" });
    expect(await access.visible(caller, "")).toEqual([]);
  }
  await expect(access.installation(host, installationId)).rejects.toMatchObject({ code: "not-found" });
  expect(await refusals()).toHaveLength(3);
});
