/** What installing changes in a host's row. */
import { type Facts, parseFactsJson } from "../../proto/values/facts.ts";
import type { Db, Tx } from "./database.ts";

type ResumePolicy = "never" | "once" | "always";

export interface InstalledHost {
  /** UTC milliseconds; null before the installed system reported, and from the moment its disk may be written. */
  readonly installedAt: number | null;
  readonly resume: ResumePolicy;
}

export async function selectInstalledHost(db: Db, hostId: string): Promise<InstalledHost | undefined> {
  const row = await db
    .selectFrom("host")
    .select(["installed_at", "resume"])
    .where("id", "=", hostId)
    .executeTakeFirst();
  return row && { installedAt: row.installed_at, resume: row.resume };
}

export interface HostReport {
  /** UTC milliseconds; absent: as it was. */
  readonly installedAt?: number | null;
  readonly agentVersion?: string;
  /** The BootReport as JSON. */
  readonly bootJson?: string;
  /** The Facts as JSON. */
  readonly factsJson?: string;
  readonly updatedAt: number;
}

export async function updateHostReport(tx: Tx, hostId: string, report: HostReport): Promise<void> {
  const { installedAt, agentVersion, bootJson, factsJson, updatedAt } = report;
  await tx
    .updateTable("host")
    .set((eb) => ({
      ...(installedAt !== undefined && { installed_at: installedAt }),
      ...(agentVersion !== undefined && { agent_version: agentVersion }),
      ...(bootJson !== undefined && { boot_json: bootJson }),
      ...(factsJson !== undefined && { facts_json: factsJson }),
      updated_at: updatedAt,
      revision: eb("revision", "+", 1),
    }))
    .where("id", "=", hostId)
    .execute();
}

/** What the host's agents said of machine and system; too much for lists. */
export interface HostSayings {
  readonly facts: Facts | undefined;
  readonly boot: BootState | undefined;
}

/** The last BootReport. */
export interface BootState {
  readonly slot: string;
  readonly kernel: string;
  readonly image: string;
  readonly healthy: boolean;
  readonly reason: string;
}

export async function selectHostSayings(db: Db, hostId: string): Promise<HostSayings> {
  const select = db.selectFrom("host").select(["facts_json", "boot_json"]).where("id", "=", hostId);
  const { facts_json = null, boot_json = null } = (await select.executeTakeFirst()) ?? {};
  return {
    facts: facts_json === null ? undefined : parseFactsJson(facts_json),
    boot: boot_json === null ? undefined : JSON.parse(boot_json),
  };
}

/** The newest installation of the host whose system reported: the one that its disk bears as long as no later one wrote it. */
export async function selectLastSucceeded(db: Db, hostId: string): Promise<string | undefined> {
  const row = await db
    .selectFrom("installation")
    .select("id")
    .where("host_id", "=", hostId)
    .where("outcome", "=", "succeeded")
    .where("rescue", "=", 0)
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  return row?.id;
}
