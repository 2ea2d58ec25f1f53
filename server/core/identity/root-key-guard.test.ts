import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { readCertificatesPem } from "../../../certs/files.ts";
import { MIGRATIONS } from "../../store/database.ts";
import { openStore } from "../../store/open-store.ts";
import type { Tables } from "../../store/schema/tables.ts";
import { openTestIdentity } from "../testing/test-identity.ts";
import { refuseRootKey } from "./root-key-guard.ts";

test("looking for the root's key leaves the store's locks alone", async () => {
  await using identity = await openTestIdentity();
  const [root] = readCertificatesPem(identity.authority.rootPem, "the root");
  if (root === undefined) return expect.unreachable();
  const folder = await mkdtemp(path.join(tmpdir(), "hps-state-"));
  const file = path.join(folder, "hpsd.db");
  const store = await openStore<Tables>({ file, migrations: MIGRATIONS });
  try {
    const before = await Promise.all([lockOf(file), lockOf(`${file}-shm`), lockOf(`${file}.lock`)]);
    expect(before).toEqual([true, true, true]);
    await refuseRootKey(folder, root);
    expect(await Promise.all([lockOf(file), lockOf(`${file}-shm`), lockOf(`${file}.lock`)])).toEqual(before);
  } finally {
    await store.close();
    await rm(folder, { recursive: true });
  }
});

/** Whether this process holds a lock on the file, in the kernel's words (proc(5), /proc/locks). */
async function lockOf(file: string): Promise<boolean> {
  const { ino } = await stat(file);
  const locks = (await readFile("/proc/locks", "utf8")).split("\n").map((line) => line.trim().split(/\s+/));
  return locks.some((words) => words[4] === String(process.pid) && words[5]?.endsWith(`:${ino}`) === true);
}
