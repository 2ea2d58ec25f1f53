import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openSample, sampleFolder } from "../../server/store/sample-store.ts";

const WRITER = fileURLToPath(new URL("store-writer.ts", import.meta.url));
const KILLS = 10;

interface Writer {
  readonly child: ChildProcess;
  readonly acknowledged: number[];
  readonly opened: Promise<void>;
  /** All it printed has been read. */
  readonly ended: Promise<void>;
  errors: string;
}

function startWriter(file: string): Writer {
  const child = spawn(process.execPath, [WRITER, file], { stdio: ["ignore", "pipe", "pipe"] });
  const opened = Promise.withResolvers<void>();
  const lines = createInterface({ input: child.stdout });
  const ended = Promise.all([once(lines, "close"), once(child, "close")]).then(() => undefined);
  const writer: Writer = { child, acknowledged: [], opened: opened.promise, ended, errors: "" };
  child.stderr.on("data", (data: Buffer) => {
    writer.errors += data.toString();
  });
  lines.on("line", (line) => {
    if (line === "open") opened.resolve();
    else writer.acknowledged.push(Number(line));
  });
  void ended.then(() => opened.resolve());
  return writer;
}

test("every acknowledged row survives kill -9 at random moments, and the file is sound", async () => {
  await using folder = await sampleFolder();
  const acknowledged = new Set<number>();
  for (let round = 0; round < KILLS; round += 1) {
    const writer = startWriter(folder.file);
    await writer.opened;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 400));
    writer.child.kill("SIGKILL");
    await writer.ended;
    expect(writer.errors).toBe("");
    for (const id of writer.acknowledged) {
      expect(acknowledged.has(id)).toBe(false);
      acknowledged.add(id);
    }
  }
  expect(acknowledged.size).toBeGreaterThan(KILLS);
  await using store = await openSample(folder.file);
  expect(await store.integrityCheck()).toEqual([]);
  const rows = await store.read(async (db) => await db.selectFrom("machine").select(["id", "blob"]).execute());
  const kept = new Map(rows.map(({ id, blob }) => [id, blob]));
  for (const id of acknowledged) expect(kept.get(id)).toEqual(Buffer.alloc(id % 3000, id));
});

test("another process is refused by a sentence that names the holder, and let in after its kill -9", async () => {
  await using folder = await sampleFolder();
  const writer = startWriter(folder.file);
  await writer.opened;
  await expect(openSample(folder.file)).rejects.toMatchObject({
    code: "unavailable",
    message: `the store is in use by process ${writer.child.pid}`,
  });
  writer.child.kill("SIGKILL");
  await writer.ended;
  await using store = await openSample(folder.file);
  expect(await store.integrityCheck()).toEqual([]);
});
