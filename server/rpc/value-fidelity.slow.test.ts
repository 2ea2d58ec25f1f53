/** Values are never re-typed: what goes in over the wire comes out byte for byte, through codec, core and store. */
import { create } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Admission, ClusterSchema } from "../../proto/gen/hps/v1/cluster_pb.ts";
import { HostSchema } from "../../proto/gen/hps/v1/host_pb.ts";
import { ANY_CHARACTER } from "../../proto/values/testing/any-character.ts";
import { boundedText } from "./fields.ts";
import { hostSettingsOf } from "./host-settings.ts";
import { type InventoryRig, startInventoryRig } from "./testing/inventory-rig.ts";

let rig: InventoryRig;

beforeAll(async () => {
  rig = await startInventoryRig();
  const cluster = { name: "lab", domain: "lab.example", admission: Admission.ARMED };
  await rig.clusters.createCluster({ cluster }, rig.root);
  await rig.hosts.createHost({ host: { cluster: "lab", name: "web01", macs: ["52:54:00:00:00:01"] } }, rig.root);
});

afterAll(async () => await rig[Symbol.asyncDispose]());

const VALUES = [
  ...["007", "1.10", "1e3", "0x1f", "true", "null", "undefined", "NaN", "~", "no", "2026-01-01", "{}", "[]", "", " "],
  ...[`"`, "'", "`", `"quoted"`, "'; drop table host; --", "\\", "\\n", "%", "_", "*", "$HOME", "<b>&amp;"],
  ..."\n|\r\n|a\nb|\t|\u0000|a\u0000b|\u001b[31m|\u007f|\u0085|\u2028|\u2029".split("|"),
  ...["\u202eevil", "\u2066x\u2069", "\ufeffbom", "\u0301", "e\u0301", "é", "\ufffd", "\uffff", "\u200b"],
  ...["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "\u{10ffff}", "𝒳", "漢字", "ünïcödé", "مرحبا", "İi"],
];

async function throughWire(value: string): Promise<void> {
  const bytes = Buffer.from(value);
  const paths = ["profile", "tags"];
  const host = { id: "lab/web01", profile: value, tags: { value } };
  const answer = await rig.hosts.updateHost({ host, updateMask: { paths } }, rig.root);
  const read = await rig.hosts.getHost({ host: "lab/web01" }, rig.root);
  const { hosts } = await rig.hosts.listHosts({ filter: `tag.value="${value.replace(/["\\]/g, "\\$&")}"` }, rig.root);
  for (const seen of [answer, read, ...hosts]) {
    expect(Buffer.from(seen.profile).equals(bytes), value).toBe(true);
    expect(Buffer.from(seen.tags.value ?? "absent").equals(bytes), value).toBe(true);
  }
  expect(hosts.length).toBe(1);
  const description = { name: "lab", description: value };
  await rig.clusters.updateCluster({ cluster: description, updateMask: { paths: ["description"] } }, rig.root);
  const cluster = await rig.clusters.getCluster({ name: "lab" }, rig.root);
  expect(Buffer.from(cluster.description).equals(bytes), value).toBe(true);
}

test.each(VALUES.map((value) => [JSON.stringify(value), value] as const))("%s", async (_, value) => {
  await throughWire(value);
});

test("any text of Unicode", async () => {
  const text = fc.string({ unit: ANY_CHARACTER, maxLength: 60 }).map((value) => value.toWellFormed());
  await fc.assert(fc.asyncProperty(text, throughWire), { numRuns: 60 });
});

test("a lone surrogate, which UTF-8 cannot hold, is refused where a request is read", () => {
  for (const value of ["\ud800", "a\udc00b"]) {
    expect(() => boundedText(value, 99, "a description")).toThrow("a description is not Unicode");
    const web = { cluster: "lab", name: "web02", macs: ["52:54:00:00:00:02"] };
    expect(() => hostSettingsOf(create(HostSchema, { ...web, tags: { value } }))).toThrow("not Unicode");
    expect(() => hostSettingsOf(create(HostSchema, { ...web, profile: value }))).toThrow("not Unicode");
  }
});

test("bytes that are no UTF-8 are refused, and nothing is changed", async () => {
  const before = await rig.clusters.getCluster({ name: "lab" }, rig.root);
  for (const bad of ["ff", "c0af", "eda080", "f4908080", "e282", "80"]) {
    const update = rig.clusters.updateCluster(
      { cluster: describedBy(Buffer.from(bad, "hex")), updateMask: { paths: ["description"] } },
      rig.root,
    );
    await expect(update, bad).rejects.toMatchObject({ code: "invalid" });
  }
  expect(await rig.clusters.getCluster({ name: "lab" }, rig.root)).toEqual(before);
  const sound = { cluster: describedBy(Buffer.from("é")), updateMask: { paths: ["description"] } };
  expect(await rig.clusters.updateCluster(sound, rig.root)).toMatchObject({ description: "é" });
});

/** A cluster whose description is written as these bytes: the library itself would not write them. */
function describedBy(bytes: Buffer) {
  const { number } = ClusterSchema.field.description;
  const data = Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const cluster = create(ClusterSchema, { name: "lab" });
  cluster.$unknown = [{ no: number, wireType: WireType.LengthDelimited, data }];
  return cluster;
}
