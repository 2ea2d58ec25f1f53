import { sql } from "kysely";
import { expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { compileForPostgres } from "./compile-for-postgres.ts";
import type { SampleSchema } from "./sample-store.ts";
import type { Writer } from "./store-handle.ts";

test("queries come out in PostgreSQL's words, the batched and the nested ones too", async () => {
  const queries = await compileForPostgres<SampleSchema>(
    async (tx) => {
      const racks = await tx.selectFrom("rack").select("name").where("name", "=", "r'1 glob ?").execute();
      await tx.savepoint(async (part) => {
        await part.batch(racks.map(({ name }) => part.deleteFrom("machine").where("rack", "=", name)));
      });
      await tx
        .insertInto("rack")
        .values({ name: "r2" })
        .onConflict((conflict) => conflict.column("name").doNothing())
        .execute();
      await tx.selectFrom("machine").selectAll().executeTakeFirstOrThrow();
      expect.unreachable("no answer was given for that query");
    },
    [[{ name: "a" }, { name: "b" }]],
  );
  expect(queries.map((query) => query.sql)).toEqual([
    `select "name" from "rack" where "name" = $1`,
    `delete from "machine" where "rack" = $1`,
    `delete from "machine" where "rack" = $1`,
    `insert into "rack" ("name") values ($1) on conflict ("name") do nothing`,
    `select * from "machine"`,
  ]);
  expect(queries.map((query) => query.parameters)).toEqual([["r'1 glob ?"], ["a"], ["b"], ["r2"], []]);
});

test.each<[string, (tx: Writer<SampleSchema>) => Promise<unknown>]>([
  ["replace into", async (tx) => await tx.insertInto("rack").orReplace().values({ name: "r" }).execute()],
  ["ifnull(", async (tx) => await sql`select ifnull(note, '') from machine`.execute(tx)],
  ["rowid", async (tx) => await sql`select rowid from machine`.execute(tx)],
  ["unixepoch(", async (tx) => await sql`select unixepoch()`.execute(tx)],
])("%s is refused", async (word, fn) => {
  await expect(compileForPostgres(fn)).rejects.toMatchObject({
    code: "invalid",
    message: expect.stringContaining(`"${word}" is SQLite's own`),
  });
});

test("the function's own mistakes are not hidden, its HpsErrors end it", async () => {
  await expect(compileForPostgres(() => Promise.reject(new TypeError("broken")))).rejects.toThrow("broken");
  const refusing = async (tx: Writer<SampleSchema>) => {
    await tx.selectFrom("rack").selectAll().execute();
    throw new HpsError("not-found", "no rack r1");
  };
  expect(await compileForPostgres(refusing)).toHaveLength(1);
});
