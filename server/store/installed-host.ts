/** What installing changes in a host's row. */
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
  readonly updatedAt: number;
}

export async function updateHostReport(tx: Tx, hostId: string, report: HostReport): Promise<void> {
  const { installedAt, agentVersion, bootJson, updatedAt } = report;
  await tx
    .updateTable("host")
    .set((eb) => ({
      ...(installedAt !== undefined && { installed_at: installedAt }),
      ...(agentVersion !== undefined && { agent_version: agentVersion }),
      ...(bootJson !== undefined && { boot_json: bootJson }),
      updated_at: updatedAt,
      revision: eb("revision", "+", 1),
    }))
    .where("id", "=", hostId)
    .execute();
}
