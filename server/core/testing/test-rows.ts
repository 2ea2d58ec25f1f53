import { newUuid } from "../../../proto/values/uuid.ts";
import type { HpsStore } from "../../store/database.ts";
import { type ImageRow, insertImage } from "../../store/images.ts";

/** For tests: rows as they are, past every rule of the core, like those of open-test-store.ts. Each answers with its id. */

/** An open installation, `installing`, of the image with this digest. */
export async function addTestInstallation(
  store: HpsStore,
  hostId: string,
  clusterId: string,
  image_digest = "",
): Promise<string> {
  const id = newUuid();
  const whose = { id, host_id: hostId, cluster_id: clusterId, image: "debian:12", image_digest, armed_by: "test" };
  const state = { state: "installing", outcome: "open", reason: "", wipe_json: "[]", facts_json: null } as const;
  const times = { window_end_at: Number.MAX_SAFE_INTEGER, created_at: 1, ended_at: null };
  const counts = { resumed: 0, last_journal: 0, last_log: 0, revision: 1 };
  await store.write(async (tx) => {
    const row = { ...whose, ...state, ...times, ...counts };
    await tx.insertInto("installation").values(row).execute();
  });
  return id;
}

/** An image whose file is nowhere, in a cluster's library or the shared one. */
export async function addTestImage(
  store: HpsStore,
  library: string,
  image: Partial<ImageRow> & Pick<ImageRow, "name">,
): Promise<string> {
  const id = newUuid();
  const file = { digest: "a".repeat(64), sizeBytes: 1000, format: "tar", contentBytes: 5000, entries: 7 } as const;
  const found = {
    lacks: [],
    system: "Debian",
    kernel: "6.1",
    importedBy: "test",
    createdAt: 1,
    namedAt: 1,
    expiresAt: null,
  };
  await store.write((tx) => insertImage(tx, { id, library, ...file, ...found, ...image }));
  return id;
}

/** `roles` by cluster id, or `*`. */
export async function addTestOperator(
  store: HpsStore,
  name: string,
  roles: Readonly<Record<string, "viewer" | "operator" | "admin">>,
): Promise<string> {
  const id = newUuid();
  await store.write(async (tx) => {
    await tx.insertInto("operator").values({ id, name, created_at: 1 }).execute();
    for (const [clusterId, role] of Object.entries(roles)) {
      await tx.insertInto("role_binding").values({ operator_id: id, cluster_id: clusterId, role }).execute();
    }
  });
  return id;
}
