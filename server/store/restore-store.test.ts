import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { restoreStore } from "./restore-store.ts";
import { openSample, sampleFolder } from "./sample-store.ts";

test("a restored store is the one that was backed up, whatever log lay about", async () => {
  await using folder = await sampleFolder();
  const backup = path.join(folder.path, "backup.db");
  const file = path.join(folder.path, "new.db");
  await using store = await openSample(folder.file);
  await store.write(async (tx) => void (await tx.insertInto("rack").values({ name: "r2" }).execute()));
  await store.backup(backup);
  await writeFile(`${file}-wal`, "left over");
  await restoreStore({ backup, file });
  await using restored = await openSample(file);
  const racks = await restored.read(async (db) => await db.selectFrom("rack").select("name").orderBy("name").execute());
  expect(racks).toEqual([{ name: "r1" }, { name: "r2" }]);
});

test("no store is overwritten, none made of what is not a backup", async () => {
  await using folder = await sampleFolder();
  const backup = path.join(folder.path, "backup.db");
  const store = await openSample(folder.file);
  await store.backup(backup);
  await expect(restoreStore({ backup, file: folder.file })).rejects.toMatchObject({ code: "unavailable" });
  await store.close();
  await expect(restoreStore({ backup, file: folder.file })).rejects.toMatchObject({ code: "exists" });
  const file = path.join(folder.path, "new.db");
  await expect(restoreStore({ backup: path.join(folder.path, "none"), file })).rejects.toMatchObject({
    code: "not-found",
  });
  await writeFile(backup, "no database, just a text that is long enough to be looked at. ".repeat(20));
  await expect(restoreStore({ backup, file })).rejects.toMatchObject({ code: "data-loss" });
  await (await openSample(file)).close();
});
