import type { Db, Tx } from "./database.ts";

/** Facts of this hpsd that are set once, by `hpsd init`. */
export type SettingName = "trust-domain" | "root-certificate";

export async function selectSetting(db: Db, name: SettingName): Promise<string | undefined> {
  const row = await db.selectFrom("setting").select("value").where("name", "=", name).executeTakeFirst();
  return row?.value;
}

/** Fails with a broken unique rule when it is set already. */
export async function insertSetting(tx: Tx, name: SettingName, value: string): Promise<void> {
  await tx.insertInto("setting").values({ name, value }).execute();
}
