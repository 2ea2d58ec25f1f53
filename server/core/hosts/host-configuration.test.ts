import { expect, test } from "vitest";
import { parseIpv4 } from "../../../proto/values/ip-address.ts";
import { parseIpv4Network } from "../../../proto/values/ipv4-network.ts";
import { insertDelta, insertPack, replacePacksOf } from "../../store/packs.ts";
import { ALICE, openOperations } from "../operations/testing.ts";
import { addTestImage } from "../testing/test-rows.ts";
import { hostConfiguration } from "./host-configuration.ts";
import { networkOrderOf } from "./network-order.ts";

const LINK = {
  network: parseIpv4Network("192.0.2.0/24"),
  gateway: parseIpv4("192.0.2.1"),
  nameServers: [parseIpv4("192.0.2.2")],
};
const TOOLS = { digest: "b".repeat(64), sizeBytes: 24 };

async function openRig() {
  const rig = await openOperations();
  await rig.store.write(async (tx) => {
    await tx.insertInto("host_mac").values({ mac: "52:54:00:00:00:01", host_id: rig.hostId, ordinal: 0 }).execute();
    await tx.insertInto("host_tag").values({ key: "rack", value: "007", host_id: rig.hostId }).execute();
  });
  const asked: (string | undefined)[] = [];
  const file = (name: string, digest?: string) => {
    asked.push(`${name} of ${digest}`);
    return TOOLS;
  };
  const told = async (forInstaller: boolean) =>
    await rig.store.read((db) =>
      hostConfiguration(db, { targetLink: LINK, installers: { file } }, { hostId: rig.hostId, forInstaller }),
    );
  return { ...rig, told, asked };
}

test("an installer is told what to install on what, an installed system only what it is", async () => {
  await using rig = await openRig();
  const storage = { disk: "smallest", rootSizeBytes: 2 ** 34, wipe: true };
  const order = { image: "debian:12", wipeDiskSerials: ["S1"], storage };
  const { id } = await rig.installations.arm(ALICE, rig.hostId, order);
  const own = { hostName: "web01", cluster: "lab", macs: ["52:54:00:00:00:01"], tags: new Map([["rack", "007"]]) };
  const told = await rig.told(true);
  expect(told).toMatchObject({
    ...own,
    order: {
      ...{ installation: id, wipeDiskSerials: ["S1"], storage, rescue: false, tools: TOOLS },
      image: { name: "debian:12", digest: "a".repeat(64), sizeBytes: 1000 },
      network: { mode: "dhcp", mac: "52:54:00:00:00:01" },
    },
  });
  expect(rig.asked).toEqual(["tools.squashfs of undefined"]);
  const installed = await rig.told(false);
  expect(installed).toMatchObject(own);
  expect(installed.order).toBeUndefined();
});

test("the tools are those of the installer the machine booted", async () => {
  await using rig = await openRig();
  const { id } = await rig.installations.arm(ALICE, rig.hostId, { image: "debian:12", wipeDiskSerials: [] });
  await rig.store.write((tx) => tx.updateTable("installation").set({ installer: "i1" }).where("id", "=", id).execute());
  await rig.told(true);
  expect(rig.asked).toEqual(["tools.squashfs of i1"]);
});

test("an installer is told the image that its host was armed with, wherever the name has moved, and its packs in order", async () => {
  await using rig = await openRig();
  const { store, clusterId } = rig;
  const [digest, other] = ["d".repeat(64), "e".repeat(64)];
  await addTestImage(store, clusterId, { name: "web:stable", digest, format: "packs" });
  const pack = { library: clusterId, sizeBytes: 9, indexOffset: 5, indexBytes: 3, createdAt: 1 };
  const packs = ["1", "2"].map((name) => ({ ...pack, digest: name.repeat(64) }));
  await store.write(async (tx) => {
    for (const each of packs) await insertPack(tx, each);
    await replacePacksOf(tx, { library: clusterId, digest }, packs.toReversed());
    await insertDelta(tx, { ...pack, digest: "3".repeat(64), base: "a".repeat(64), target: digest });
  });
  await rig.installations.arm(ALICE, rig.hostId, { image: "web:stable", wipeDiskSerials: [] });
  await store.write((tx) => tx.updateTable("image").set({ name: "web:old" }).where("digest", "=", digest).execute());
  await addTestImage(store, clusterId, { name: "web:stable", digest: other });
  expect((await rig.told(true)).order?.image).toMatchObject({
    ...{ name: "web:stable", digest, format: "packs" },
    packs: packs.toReversed().map(({ digest: each }) => ({ digest: each, indexOffset: 5, indexBytes: 3 })),
    deltas: [{ digest: "3".repeat(64), base: "a".repeat(64) }],
  });
});

test("a rescue has no image; one that vanished is said", async () => {
  await using rig = await openRig();
  const { id } = await rig.installations.arm(ALICE, rig.hostId, { image: "", wipeDiskSerials: [], rescue: true });
  expect((await rig.told(true)).order).toMatchObject({ image: undefined, rescue: true });
  await rig.installations.cancel(ALICE, id, "");
  await rig.installations.arm(ALICE, rig.hostId, { image: "debian:12", wipeDiskSerials: [] });
  await rig.store.write((tx) => tx.deleteFrom("image").execute());
  await expect(rig.told(true)).rejects.toMatchObject({ code: "precondition", message: /debian:12 is no more/ });
});

const HOST = { name: "web01", macs: ["m1", "m2"], addresses: ["192.0.2.9"], network: "static" } as const;

test("fixed addresses get what the boot network has", () => {
  expect(networkOrderOf(HOST, LINK)).toEqual({
    ...{ mode: "static", mac: "m1", addresses: ["192.0.2.9/24"], gateway: "192.0.2.1", nameServers: ["192.0.2.2"] },
  });
  const { gateway: _, ...without } = LINK;
  expect(networkOrderOf(HOST, without)).toMatchObject({ gateway: "" });
  expect(networkOrderOf({ ...HOST, network: "dhcp" }, undefined)).toEqual({ mode: "dhcp", mac: "m1" });
});

test.each([
  [{ addresses: ["192.0.3.9"] }, LINK, /192.0.3.9 is not a host's address in 192.0.2.0\/24/],
  [{ addresses: ["192.0.2.9", "192.0.2.255"] }, LINK, /192.0.2.255/],
  [{ addresses: ["2001:db8::9"] }, LINK, /2001:db8::9/],
  [{ addresses: [] }, LINK, /it has no address/],
  [{}, undefined, /no boot network/],
])("fixed addresses %j cannot be ordered", (change, link, message) => {
  expect(() => networkOrderOf({ ...HOST, ...change }, link)).toThrow(message);
});
