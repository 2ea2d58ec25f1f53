import { readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { sql } from "kysely";
import { describe, expect, test, vi } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { ANY_CHARACTER } from "../../proto/values/testing/any-character.ts";
import type { SampleSchema } from "./sample-store.ts";
import { openSample, sampleFolder } from "./sample-store.ts";
import { isDuplicateOf } from "./store-errors.ts";
import type { Reader, Writer } from "./store-handle.ts";

const addMachine = (tx: Writer<SampleSchema>, id: number, note: string | null = null) =>
  tx.insertInto("machine").values({ id, rack: "r1", note, blob: null, big: null });

async function ids(db: Reader<SampleSchema>): Promise<number[]> {
  return (await db.selectFrom("machine").select("id").orderBy("id").execute()).map(({ id }) => id);
}

/** Takes a few hundred milliseconds inside SQLite. */
const slowQuery = sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) FROM n`;

const shows = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe("what is written is read", () => {
  test("every kind of value comes back as it was", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    let id = 0;
    const property = fc.asyncProperty(
      fc.option(fc.string({ unit: ANY_CHARACTER }).map((text) => text.toWellFormed())),
      fc.option(fc.uint8Array({ maxLength: 300 })),
      fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
      async (text, blob, big) => {
        id += 1;
        const note = text === null ? null : `${id}${text}`;
        await store.write(async (tx) => {
          await tx.insertInto("machine").values({ id, rack: "r1", note, blob, big }).execute();
        });
        const row = await store.read(async (db) => {
          return await db.selectFrom("machine").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
        });
        expect(row.note).toBe(note);
        expect(row.blob).toEqual(blob === null ? null : Buffer.from(blob));
        expect(row.big === null ? null : BigInt(row.big)).toBe(big);
        expect(typeof row.big === "number" ? Number.isSafeInteger(row.big) : true).toBe(true);
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  test("a small slice of a large buffer, counts of changed rows, RETURNING", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    const blob = Buffer.alloc(1 << 20, 7).subarray(10, 20);
    const returned = await store.write(async (tx) => {
      const query = tx.insertInto("machine").values({ id: 1, rack: "r1", note: null, blob, big: 5 });
      return await query.returning(["id", "blob"]).executeTakeFirstOrThrow();
    });
    expect(returned).toEqual({ id: 1, blob: Buffer.alloc(10, 7) });
    const changed = await store.write(async (tx) => await tx.updateTable("machine").set({ big: 6 }).executeTakeFirst());
    expect(changed.numUpdatedRows).toBe(1n);
  });

  test("a batch is several statements and their results in order", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    const results = await store.write(
      async (tx) => await tx.batch([addMachine(tx, 1), addMachine(tx, 2), tx.selectFrom("machine").select("id")]),
    );
    expect(results.map(({ rows }) => rows.length)).toEqual([0, 0, 2]);
  });

  test("a commit is synced, references are enforced", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    const settings = await store.write(async (tx) => {
      const journal = await sql`PRAGMA journal_mode`.execute(tx);
      const synchronous = await sql`PRAGMA synchronous`.execute(tx);
      const foreignKeys = await sql`PRAGMA foreign_keys`.execute(tx);
      return [...journal.rows, ...synchronous.rows, ...foreignKeys.rows];
    });
    expect(settings).toEqual([{ journal_mode: "wal" }, { synchronous: 2 }, { foreign_keys: 1 }]);
  });

  test("the file is for its owner only", async () => {
    await using folder = await sampleFolder();
    await using _store = await openSample(folder.file);
    for (const suffix of ["", "-wal", ".pid"]) expect((await stat(`${folder.file}${suffix}`)).mode & 0o077).toBe(0);
  });
});

describe("transactions", () => {
  test("a failing write leaves nothing, and the next one works", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    const failing = store.write(async (tx) => {
      await addMachine(tx, 1).execute();
      throw new HpsError("invalid", "no");
    });
    await expect(failing).rejects.toEqual(shows("invalid", /^no$/));
    await store.write(async (tx) => void (await addMachine(tx, 2).execute()));
    expect(await store.read(ids)).toEqual([2]);
  });

  test("a read is one snapshot while writes go on", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    const written = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const reading = store.read(async (db) => {
      const before = await ids(db);
      started.resolve();
      await written.promise;
      return [before, await ids(db)];
    });
    await started.promise;
    await store.write(async (tx) => void (await addMachine(tx, 1).execute()));
    written.resolve();
    expect(await reading).toEqual([[], []]);
    expect(await store.read(ids)).toEqual([1]);
  });

  test("a reader cannot write, whatever the types say", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    const writing = store.read(async (db) => await sql`INSERT INTO rack VALUES ('r2')`.execute(db));
    await expect(writing).rejects.toBeInstanceOf(HpsError);
  });

  test("writes run one at a time, in the order asked", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    const increments = Array.from({ length: 40 }, () =>
      store.write(async (tx) => {
        const next = (await ids(tx)).length + 1;
        await addMachine(tx, next).execute();
        return next;
      }),
    );
    expect(await Promise.all(increments)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
  });

  test("asking the store inside a transaction fails at once instead of waiting for itself", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    const refused = shows("internal", /inside a transaction/);
    await expect(store.write(async () => await store.write(async () => 1))).rejects.toEqual(refused);
    await expect(store.write(async () => await store.read(async () => 1))).rejects.toEqual(refused);
    await expect(store.read(async () => await store.read(async () => 1))).rejects.toEqual(refused);
    await expect(store.write(async () => await store.checkpoint())).rejects.toEqual(refused);
  });

  test("a handle is dead after its transaction", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    const kept = await store.write(async (tx) => ({ tx }));
    await expect(addMachine(kept.tx, 1).execute()).rejects.toEqual(shows("internal", /after its end/));
    expect(() => kept.tx.afterCommit(() => undefined)).toThrow(/after its end/);
    expect(await store.read(ids)).toEqual([]);
  });

  test("a savepoint undoes only itself, with its callbacks", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    const called: string[] = [];
    await store.write(async (tx) => {
      await addMachine(tx, 1).execute();
      const inner = tx.savepoint(async (part) => {
        await addMachine(part, 2).execute();
        part.afterCommit(() => called.push("inner"));
        await expect(addMachine(tx, 9).execute()).rejects.toEqual(shows("internal", /while a savepoint/));
        throw new HpsError("invalid", "no");
      });
      await expect(inner).rejects.toBeInstanceOf(HpsError);
      await tx.savepoint(async (part) => void (await addMachine(part, 3).execute()));
      tx.afterCommit(() => called.push("outer"));
      expect(called).toEqual([]);
    });
    expect(called).toEqual(["outer"]);
    expect(await store.read(ids)).toEqual([1, 3]);
  });

  test("afterCommit is not called when the commit did not happen", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    const called: string[] = [];
    const failing = store.write(async (tx) => {
      tx.afterCommit(() => called.push("never"));
      await addMachine(tx, 1).execute();
      await addMachine(tx, 1).execute();
    });
    await expect(failing).rejects.toBeInstanceOf(HpsError);
    expect(called).toEqual([]);
  });
});

describe("errors", () => {
  test("a broken rule names its kind and columns, and no SQL", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    const duplicate = await store
      .write(async (tx) => await tx.batch([addMachine(tx, 1, "a"), addMachine(tx, 2, "a")]))
      .catch((error: unknown) => error);
    expect(duplicate).toEqual(shows("exists", /already/));
    expect(isDuplicateOf(duplicate, "machine.note")).toBe(true);
    expect(isDuplicateOf(duplicate, "machine.id")).toBe(false);
    const orphan = store.write(async (tx) => {
      await tx.insertInto("machine").values({ id: 1, rack: "none", note: null, blob: null, big: null }).execute();
    });
    await expect(orphan).rejects.toMatchObject({ code: "precondition", kind: "foreign-key" });
  });

  test("a full line and a long wait are 'the store is busy'", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file, { maxQueued: 1, maxWaitMs: 50 });
    const go = Promise.withResolvers<void>();
    const holding = store.write(async () => await go.promise);
    const waiting = store.write(async () => 1);
    await expect(store.write(async () => 2)).rejects.toEqual(shows("unavailable", /busy/));
    await expect(waiting).rejects.toEqual(shows("unavailable", /busy/));
    go.resolve();
    await holding;
    expect(await store.write(async () => 3)).toBe(3);
  });

  test("a transaction that holds the store too long is undone", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file, { maxHoldMs: 500 });
    const go = Promise.withResolvers<void>();
    const late = Promise.withResolvers<unknown>();
    const stuck = store.write(async (tx) => {
      await addMachine(tx, 1).execute();
      await go.promise;
      await addMachine(tx, 2).execute().catch(late.resolve);
    });
    await expect(stuck).rejects.toEqual(shows("deadline", /undone/));
    go.resolve();
    expect(await late.promise).toEqual(shows("internal", /after its end/));
    expect(await store.read(ids)).toEqual([]);
  });

  test("a file that is no database is data loss, and stays as it is", async () => {
    await using folder = await sampleFolder();
    await writeFile(folder.file, "This is a letter, not a database. ".repeat(200));
    await expect(openSample(folder.file)).rejects.toEqual(shows("data-loss", /damaged/));
    await expect(openSample(path.join(folder.path, "none", "hps.db"))).rejects.toEqual(shows("unavailable", /disk/));
  });

  test("a second opening names the process that has the store; closing gives it free", async () => {
    await using folder = await sampleFolder();
    const first = await openSample(folder.file);
    await expect(openSample(folder.file)).rejects.toEqual(shows("unavailable", new RegExp(`process ${process.pid}$`)));
    await Promise.all([first.close(), first.close()]);
    await expect(first.read(ids)).rejects.toEqual(shows("unavailable", /closed/));
    await using second = await openSample(folder.file);
    expect(await second.read(ids)).toEqual([]);
  });
});

describe("beside the work", () => {
  test("a slow query and a slow write do not hold the event loop", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    let last = performance.now();
    let longest = 0;
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    const began = performance.now();
    await Promise.all([
      store.read(async (db) => await slowQuery.execute(db)),
      store.write(async (tx) => await slowQuery.execute(tx)),
    ]);
    clearInterval(timer);
    const took = performance.now() - began;
    expect(took).toBeGreaterThan(100);
    expect(longest).toBeLessThan(took / 2);
  });

  test("a backup taken while writes go on is whole and sound", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file);
    const copy = path.join(folder.path, "copy.db");
    const add = async (id: number, length = 1_000) =>
      await store.write(async (tx) => {
        // Two rows or none: a copy with an odd number is not a state that ever was.
        const blob = Buffer.alloc(length, id);
        const rows = [id, -id].map((key) => ({ id: key, rack: "r1", note: null, blob, big: null }));
        await tx.insertInto("machine").values(rows).execute();
      });
    await add(1, 12_000_000);
    const steps: number[] = [];
    let running = true;
    const copying = store
      .backup(copy, (done) => steps.push(done))
      .finally(() => {
        running = false;
      });
    let last = 1;
    while (running) {
      last += 1;
      await add(last);
    }
    await copying;
    expect(steps.length).toBeGreaterThan(3);
    // A commit does not make it begin again.
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(last).toBeGreaterThan(1);
    await using restored = await openSample(copy);
    const copied = await restored.read(ids);
    expect(copied.length % 2).toBe(0);
    expect(copied.length).toBeGreaterThanOrEqual(2);
    expect(copied.length).toBeLessThanOrEqual(2 * last);
    expect(await restored.integrityCheck()).toEqual([]);
    await expect(store.backup(path.join(folder.path, "none", "copy.db"))).rejects.toEqual(
      shows("unavailable", /copy.db could not be written/),
    );
  });

  test("integrityCheck tells of a damaged page", async () => {
    await using folder = await sampleFolder();
    const store = await openSample(folder.file);
    for (let id = 1; id <= 300; id += 1) {
      await store.write(async (tx) => void (await addMachine(tx, id, `${id}`.repeat(50)).execute()));
    }
    await store.close();
    const bytes = await readFile(folder.file);
    // The last pages hold rows and their index; the first ones the schema.
    bytes.fill(0xa5, bytes.length - 3 * 4096);
    await writeFile(folder.file, bytes);
    await using damaged = await openSample(folder.file);
    expect(await damaged.integrityCheck()).not.toEqual([]);
  });

  test("a checkpoint empties the log, or says that a read still needs it", async () => {
    await using folder = await sampleFolder();
    await using store = await openSample(folder.file, { busyTimeoutMs: 50 });
    await store.write(async (tx) => void (await addMachine(tx, 1).execute()));
    expect(await store.integrityCheck()).toEqual([]);
    await store.checkpoint();
    expect((await stat(`${folder.file}-wal`)).size).toBe(0);
    const started = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const reading = store.read(async (db) => {
      await ids(db);
      started.resolve();
      await go.promise;
    });
    await started.promise;
    await store.write(async (tx) => void (await addMachine(tx, 2).execute()));
    await expect(store.checkpoint()).rejects.toEqual(shows("unavailable", /busy/));
    go.resolve();
    await reading;
    // The reader's thread gives its snapshot up soon after the read has its answer.
    await vi.waitFor(async () => await store.checkpoint(), { timeout: 10_000 });
  });
});
