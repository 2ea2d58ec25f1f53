import { expect, test } from "vitest";
import { MIGRATIONS, openHpsStore } from "../../database.ts";
import { insertImage, selectImage } from "../../images.ts";
import { selectInstallation } from "../../installations.ts";
import { openStore } from "../../open-store.ts";
import { sampleFolder } from "../../sample-store.ts";

type Rows = Record<"cluster" | "host" | "image" | "installation", Record<string, unknown>>;

const TIMES = { created_at: 1, updated_at: 1, revision: 1 };
const IMAGE = {
  ...{ size_bytes: 7, format: "tar-zstd", content_bytes: 9, entries: 2, lacks_json: '["init"]', system: "Debian" },
  ...{ kernel: "6.1", imported_by: "alice", created_at: 5 },
};
const INSTALLATION = {
  ...{ host_id: "h", state: "ended", outcome: "succeeded", reason: "", wipe_json: "[]", armed_by: "alice" },
  ...{ window_end_at: 1, created_at: 1, resumed: 0, last_journal: 0, last_log: 0, revision: 1 },
};

test("images of an earlier release keep their names, and installations learn what theirs meant", async () => {
  await using folder = await sampleFolder();
  const { file } = folder;
  const before = await openStore<Rows>({ file, migrations: MIGRATIONS.slice(0, 8), readers: 1 });
  await before.write(async (tx) => {
    for (const id of ["a", "b"]) {
      const cluster = { id, name: id, description: "", domain: "d", admission: "armed", ...TIMES };
      await tx.insertInto("cluster").values(cluster).execute();
      await tx
        .insertInto("image")
        .values({ ...IMAGE, id: `i${id}`, cluster_id: id, name: "debian:12", digest: id })
        .execute();
    }
    const host = { id: "h", cluster_id: "b", name: "web01", profile: "", resume: "never", agent_version: "", ...TIMES };
    await tx.insertInto("host").values(host).execute();
    for (const [id, image] of Object.entries({ there: "debian:12", gone: "debian:11", rescue: "" })) {
      await tx
        .insertInto("installation")
        .values({ ...INSTALLATION, id, cluster_id: "b", image })
        .execute();
    }
  });
  await before.close();

  const after = await openHpsStore(file);
  try {
    const [image, ...digests] = await after.read(async (db) => [
      await selectImage(db, "b", "debian:12"),
      ...(await Promise.all(["there", "gone", "rescue"].map((id) => selectInstallation(db, id)))).map(
        (row) => row?.imageDigest,
      ),
    ]);
    expect(image).toEqual({
      ...{ id: "ib", library: "b", cluster: "b", name: "debian:12", digest: "b", sizeBytes: 7, format: "tar-zstd" },
      ...{ contentBytes: 9, entries: 2, lacks: ["init"], system: "Debian", kernel: "6.1", importedBy: "alice" },
      ...{ createdAt: 5, namedAt: 5, expiresAt: null },
    });
    expect(digests).toEqual(["b", "", ""]);
    const row = await after.read((db) => selectImage(db, "a", "debian:12"));
    if (row === undefined) return expect.unreachable();
    // Still unique in its library, and still a format that is known.
    await expect(after.write((tx) => insertImage(tx, { ...row, id: "again" }))).rejects.toMatchObject({
      code: "exists",
    });
    const shared = { ...row, id: "shared", library: "shared", name: "shared/debian:12", format: "packs" as const };
    await after.write((tx) => insertImage(tx, shared));
    expect(await after.integrityCheck()).toEqual([]);
  } finally {
    await after.close();
  }
});
