import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Admission, ClusterSchema, ShellAccess } from "../../proto/gen/hps/v1/cluster_pb.ts";
import { addTestImage } from "../core/testing/test-rows.ts";
import { allPages } from "./testing/collect.ts";
import { type InventoryRig, startInventoryRig } from "./testing/inventory-rig.ts";

const LAB = { name: "lab", description: "the lab", domain: "lab.example", admission: Admission.ARMED };

async function withLab() {
  const rig = await startInventoryRig();
  return Object.assign(rig, { lab: await rig.clusters.createCluster({ cluster: LAB }, rig.root) });
}

async function update(rig: InventoryRig, cluster: Partial<typeof LAB> & { etag?: string }, paths: readonly string[]) {
  return await rig.clusters.updateCluster(
    { cluster: { name: "lab", ...cluster }, updateMask: { paths: [...paths] } },
    rig.root,
  );
}

test("a cluster is made, read, changed and deleted; each is audited and noted", async () => {
  await using rig = await withLab();
  const { lab } = rig;
  expect(lab).toMatchObject({ ...LAB, etag: '"1"' });
  expect(lab.createTime).toEqual(lab.updateTime);
  expect(await rig.clusters.getCluster({ name: "lab" }, rig.root)).toEqual(lab);
  const changed = await update(rig, { domain: "Lab.Example.ORG.", etag: lab.etag, description: "not in the mask" }, [
    "domain",
  ]);
  expect(changed).toMatchObject({ description: "the lab", domain: "lab.example.org", etag: '"2"', id: lab.id });
  await rig.clusters.deleteCluster({ name: "lab", etag: changed.etag }, rig.root);
  await expect(rig.clusters.getCluster({ name: "lab" }, rig.root)).rejects.toMatchObject({ code: "not-found" });
  const { events } = await rig.audit.listAuditEvents({}, rig.root);
  expect(events.map(({ action, target }) => `${action} ${target}`)).toEqual(
    ["DeleteCluster", "UpdateCluster", "CreateCluster"].map(
      (name) => `hps.v1.ClusterService/${name} cluster:${lab.id}`,
    ),
  );
  expect(events.map(({ actor, address }) => ({ actor, address }))[0]).toEqual({
    actor: "spiffe://test.example/operator/root",
    address: "192.0.2.99",
  });
  expect(await rig.inventory.changes.last()).toBe(3);
  expect(rig.inventory.incidents).toEqual([]);
});

test("what a cluster asks of shells: nothing at first, then field by field, and never undone unsaid", async () => {
  await using rig = await withLab();
  const nothing = { access: ShellAccess.ROLE, reasonRequired: false, approvalRequired: false, recordInput: false };
  expect(rig.lab.shellPolicy).toMatchObject({ ...nothing, strictRecording: false });
  expect([rig.lab.shellPolicy?.timeLimit, rig.lab.shellPolicy?.idleLimit]).toEqual([undefined, undefined]);
  const set = async (shellPolicy: object | undefined, ...paths: string[]) => {
    const cluster = { name: "lab", ...(shellPolicy && { shellPolicy }) };
    return (await rig.clusters.updateCluster({ cluster, updateMask: { paths } }, rig.root)).shellPolicy;
  };
  const hours = { seconds: 8n * 3600n };
  await set({ access: ShellAccess.GRANT, timeLimit: hours }, "shell_policy.access", "shell_policy.time_limit");
  const now = await set({ reasonRequired: true }, "shell_policy.reason_required");
  expect(now).toMatchObject({ access: ShellAccess.GRANT, reasonRequired: true, timeLimit: hours });
  const old = { ...LAB, name: "lab" };
  const all = await rig.clusters.updateCluster({ cluster: old, updateMask: { paths: ["*"] } }, rig.root);
  expect(all.shellPolicy).toMatchObject({ access: ShellAccess.GRANT, reasonRequired: true });
  for (const seconds of [-1n, 8n * 86_400n]) {
    const wrong = set({ idleLimit: { seconds } }, "shell_policy.idle_limit");
    await expect(wrong).rejects.toMatchObject({ code: "invalid", message: expect.stringContaining("1 s to 7 d") });
  }
  const word = set(Object.assign({}, { access: 99 }), "shell_policy.access");
  await expect(word).rejects.toMatchObject({ code: "invalid" });
  expect(await set({}, "shell_policy")).toMatchObject({ ...nothing, strictRecording: false });
  const [event] = (await rig.audit.listAuditEvents({}, rig.root)).events;
  expect(JSON.parse(event?.details.shells ?? "")).toMatchObject({ access: "role", reasonRequired: false });
});

test("mirrors of images: none at first, then those of the last change, in their order", async () => {
  await using rig = await withLab();
  expect(rig.lab.imageMirrors).toEqual([]);
  const set = async (...imageMirrors: string[]) => {
    const cluster = { name: "lab", imageMirrors };
    return (await rig.clusters.updateCluster({ cluster, updateMask: { paths: ["image_mirrors"] } }, rig.root))
      .imageMirrors;
  };
  const two = ["https://cache.example.org/hps", "http://192.0.2.7:8080"];
  expect(await set(`${two[0]}/`, ...two.slice(1))).toEqual(two);
  expect((await update(rig, { description: "other" }, ["description"])).imageMirrors).toEqual(two);
  const [, event] = (await rig.audit.listAuditEvents({}, rig.root)).events;
  expect(event?.details.imageMirrors).toBe(two.join(" "));
  for (const [wrong, message] of [
    [["https://u:p@cache.example.org/hps"], "not an http or https address"],
    [["https://x/a", "https://x/a/"], "named twice"],
    [Array.from({ length: 9 }, (_, index) => `https://x/${index}`), "9 mirrors of images are more than 8"],
  ] as const) {
    await expect(set(...wrong)).rejects.toMatchObject({ code: "invalid", message: expect.stringContaining(message) });
  }
  expect((await rig.clusters.getCluster({ name: "lab" }, rig.root)).imageMirrors).toEqual(two);
  expect(await set()).toEqual([]);
});

test("tags of images that are kept: all at first, then as many as was said, and the audit log has it", async () => {
  await using rig = await withLab();
  expect(rig.lab.imageKeep).toBe(0);
  const set = async (imageKeep: number) => {
    const cluster = { name: "lab", imageKeep };
    return (await rig.clusters.updateCluster({ cluster, updateMask: { paths: ["image_keep"] } }, rig.root)).imageKeep;
  };
  expect(await set(3)).toBe(3);
  expect((await rig.audit.listAuditEvents({}, rig.root)).events[0]?.details.imageKeep).toBe("3");
  expect((await update(rig, { description: "other" }, ["description"])).imageKeep).toBe(3);
  for (const wrong of [-1, 10_001]) {
    await expect(set(wrong)).rejects.toMatchObject({ code: "invalid", message: expect.stringContaining("10000") });
  }
  expect((await rig.clusters.getCluster({ name: "lab" }, rig.root)).imageKeep).toBe(3);
  expect(await set(0)).toBe(0);
});

test("without a word about admission nothing is made, and the hint explains the choice", async () => {
  await using rig = await startInventoryRig();
  for (const admission of [Admission.UNSPECIFIED, 3, 99]) {
    const cluster = Object.assign(create(ClusterSchema, LAB), { admission });
    const wish = rig.clusters.createCluster({ cluster }, rig.root);
    const error: unknown = await wish.catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "invalid", message: expect.stringContaining("admission") });
    expect(error).toMatchObject({ hint: expect.stringMatching(/armed: .*; approve: .*tpm is refused until/) });
  }
  expect((await rig.clusters.listClusters({}, rig.root)).clusters).toEqual([]);
});

describe("what is not right is refused and changes nothing", () => {
  let rig: InventoryRig;
  beforeAll(async () => {
    rig = await startInventoryRig();
  });
  afterAll(async () => await rig[Symbol.asyncDispose]());

  test.each([
    [{ name: "Lab" }, "not a cluster's name"],
    [{ name: "" }, "not a cluster's name"],
    [{ domain: "" }, "not a domain name"],
    [{ domain: "-.example" }, "not a domain name"],
    [{ description: "é".repeat(513) }, "1026 bytes is longer than 1024"],
  ])("%#", async (wrong, message) => {
    const wish = rig.clusters.createCluster({ cluster: { ...LAB, ...wrong } }, rig.root);
    await expect(wish).rejects.toMatchObject({ code: "invalid", message: expect.stringContaining(message) });
    expect(await rig.inventory.changes.last()).toBe(0);
  });

  test("a name that is taken, a request of nothing, an update of nothing or of what never changes", async () => {
    await using rig = await withLab();
    await expect(rig.clusters.createCluster({ cluster: LAB }, rig.root)).rejects.toMatchObject({ code: "exists" });
    await expect(rig.clusters.createCluster({}, rig.root)).rejects.toMatchObject({ code: "invalid" });
    await expect(update(rig, {}, [])).rejects.toMatchObject({
      code: "invalid",
      hint: expect.stringContaining("domain"),
    });
    await expect(update(rig, {}, ["name"])).rejects.toMatchObject({ message: `an update cannot change "name"` });
    await expect(update(rig, LAB, ["*"])).resolves.toMatchObject({ etag: '"2"' });
  });
});

test("who saw an older cluster neither changes nor deletes it", async () => {
  await using rig = await withLab();
  await update(rig, { description: "newer" }, ["description"]);
  const late = update(rig, { description: "late", etag: rig.lab.etag }, ["description"]);
  await expect(late).rejects.toMatchObject({ code: "aborted", hint: expect.stringContaining("read it again") });
  const gone = rig.clusters.deleteCluster({ name: "lab", etag: rig.lab.etag }, rig.root);
  await expect(gone).rejects.toMatchObject({ code: "aborted" });
  expect(await rig.clusters.getCluster({ name: "lab" }, rig.root)).toMatchObject({ description: "newer" });
});

test("of two who change the same etag at once, one wins", async () => {
  await using rig = await withLab();
  const { etag } = rig.lab;
  const wishes = ["a", "b", "c"].map((description) => update(rig, { description, etag }, ["description"]));
  const results = await Promise.allSettled(wishes);
  expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected", "rejected"]);
});

test("a cluster with hosts is not deleted", async () => {
  await using rig = await withLab();
  await rig.hosts.createHost({ host: { cluster: "lab", name: "web01", macs: ["52:54:00:00:00:01"] } }, rig.root);
  await expect(rig.clusters.deleteCluster({ name: "lab" }, rig.root)).rejects.toMatchObject({
    code: "precondition",
    message: "cluster lab cannot be deleted: 1 host is in it",
  });
});

test("nor is one with images", async () => {
  await using rig = await withLab();
  for (const name of ["a:1", "b:1"]) await addTestImage(rig.inventory.store, rig.lab.id, { name });
  await expect(rig.clusters.deleteCluster({ name: "lab" }, rig.root)).rejects.toMatchObject({
    ...{ code: "precondition", message: "cluster lab cannot be deleted: 2 images are in it" },
  });
});

test("lists come by name, in pages that new clusters do not disturb", async () => {
  await using rig = await startInventoryRig();
  const make = async (name: string) => await rig.clusters.createCluster({ cluster: { ...LAB, name } }, rig.root);
  for (const name of ["e", "c", "a", "d", "b"]) await make(name);
  const page = async (pageToken: string) => {
    const answer = await rig.clusters.listClusters({ pageSize: 2, pageToken }, rig.root);
    if (pageToken === "") await make("aa");
    return answer;
  };
  const names = (await allPages(page, ({ clusters }) => clusters)).map(({ name }) => name);
  expect(names).toEqual(["a", "b", "c", "d", "e"]);
});
