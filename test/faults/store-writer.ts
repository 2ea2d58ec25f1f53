/**
 * Opens the sample store in the file of its argument and writes for ever; each number it prints is one that was
 * acknowledged. Killed by store-kill.test.ts.
 */
import { createGroupCommit } from "../../server/store/group-commit.ts";
import { openSample } from "../../server/store/sample-store.ts";

const file = process.argv[2] ?? "";
const store = await openSample(file, { readers: 1 });
const group = createGroupCommit(store);
const seen = await store.read(async (db) => {
  return await db
    .selectFrom("machine")
    .select((eb) => eb.fn.max("id").as("last"))
    .executeTakeFirst();
});
let next = Number(seen?.last ?? 0);

async function writeForEver(): Promise<void> {
  for (;;) {
    next += 1;
    const id = next;
    await group.submit(async (tx) => {
      const blob = Buffer.alloc(id % 3000, id);
      await tx.insertInto("machine").values({ id, rack: "r1", note: null, blob, big: null }).execute();
    });
    process.stdout.write(`${id}\n`);
  }
}

process.stdout.write("open\n");
await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(() => writeForEver()));
