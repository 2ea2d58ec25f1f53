import { expect, test } from "vitest";
import { AuditVerifier } from "../../../core/audit/audit-verifier.ts";
import { MIGRATIONS, openHpsStore } from "../../database.ts";
import { openStore } from "../../open-store.ts";
import { sampleFolder } from "../../sample-store.ts";

test("events of an earlier release are chained as they are found, and the chain goes on from them", async () => {
  await using folder = await sampleFolder();
  const before = await openStore<Record<"audit", Record<string, unknown>>>({
    file: folder.file,
    migrations: MIGRATIONS.slice(0, 2),
    readers: 1,
  });
  const event = { actor: "hpsd", action: "a", target: "", cluster_id: null, address: "", reason: "", incident: "" };
  const rows = Array.from({ length: 1_100 }, (_, at) => ({ ...event, at, outcome: "allowed", details_json: "{}" }));
  await before.write(async (tx) => void (await tx.insertInto("audit").values(rows).execute()));
  await before.close();

  const after = await openHpsStore(folder.file);
  const verdict = await new AuditVerifier(after).verify("", new AbortController().signal);
  await after.close();
  expect(verdict).toMatchObject({ events: 1_100, first: 1, last: 1_100, breaks: [] });
});
