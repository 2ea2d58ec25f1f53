import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { openStore } from "./open-store.ts";
import { openSample, SAMPLE_MIGRATIONS, type SampleSchema, sampleFolder } from "./sample-store.ts";

const CHANNEL = "worker_threads";

test("when a thread dies every call is rejected and the store says so", async () => {
  await using folder = await sampleFolder();
  const workers: Worker[] = [];
  const seen = (message: unknown) => workers.push((message as { worker: Worker }).worker);
  subscribe(CHANNEL, seen);
  const store = await openSample(folder.file, { readers: 1 });
  unsubscribe(CHANNEL, seen);
  expect(workers).toHaveLength(2);
  const never = Promise.withResolvers<void>();
  const pending = store.write(async (tx) => {
    await tx.insertInto("rack").values({ name: "r2" }).execute();
    void workers[1]?.terminate();
    await store.failed;
    await tx.insertInto("rack").values({ name: "r3" }).execute();
    await never.promise;
  });
  const stopped = expect.objectContaining({ code: "unavailable", message: "the store has stopped" });
  await expect(pending).rejects.toEqual(stopped);
  expect(await store.failed).toEqual(stopped);
  await expect(store.read(async (db) => await db.selectFrom("rack").selectAll().execute())).rejects.toEqual(stopped);
  await store.close();
  await using again = await openSample(folder.file);
  expect(await again.read(async (db) => await db.selectFrom("rack").selectAll().execute())).toEqual([{ name: "r1" }]);
});

test("a commit the disk does not answer stops the store instead of hanging it", async () => {
  await using folder = await sampleFolder();
  const store = await openStore<SampleSchema>({ file: folder.file, migrations: SAMPLE_MIGRATIONS, maxCommitMs: 1 });
  const name = "x".repeat(50_000_000);
  const large = store.write(async (tx) => void (await tx.insertInto("rack").values({ name }).execute()));
  await expect(large).rejects.toMatchObject({ code: "unavailable", message: "the store has stopped" });
  expect((await store.failed).message).toBe("the store has stopped");
  await store.close();
});
