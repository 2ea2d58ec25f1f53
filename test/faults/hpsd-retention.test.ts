/** A real hpsd that keeps but so many tags of each image. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Hps } from "../../client/sdk/connect.ts";
import { ImageFormat } from "../../proto/gen/hps/v1/agent_pb.ts";
import { startHpsd, until } from "./real-hpsd.ts";

async function imported(hps: Hps, name: string): Promise<void> {
  const archive = Buffer.from(name);
  const file = { digest: createHash("sha256").update(archive).digest("hex"), sizeBytes: BigInt(archive.length) };
  const source = { file, format: ImageFormat.TAR, contentBytes: 1n, entries: 1n };
  await hps.importImage(
    { cluster: "lab", name, source },
    (async function* () {
      yield archive;
    })(),
  );
}

test("names beyond the rule of a cluster go by themselves, after a restart too, each with its event", async () => {
  await using hpsd = await startHpsd();
  for (const tag of [1, 2, 3, 4]) await imported(hpsd.admin, `web:${tag}`);
  await imported(hpsd.admin, "db:1");
  const going = async (...words: readonly string[]) => {
    const { code, out } = await hpsd.hpsctl("image", "gc", "--dry-run", "-o", "json", ...words);
    expect(code).toBe(0);
    const { passedNames }: { passedNames: { name: string; reason: string; last: boolean }[] } = JSON.parse(out);
    return passedNames.map(({ name, reason, last }) => `${name} ${reason} ${last}`);
  };
  expect(await going()).toEqual([]);
  expect(await going("--keep", "3")).toEqual(["web:1 PASSING_REASON_SURPLUS true"]);
  expect((await hpsd.hpsctl("cluster", "edit", "lab", "--image-keep", "2")).code).toBe(0);
  expect((await hpsd.hpsctl("cluster", "get", "lab")).out).toMatch(/IMAGE TAGS KEPT: +2\n/);
  expect(await going()).toEqual(["web:1 PASSING_REASON_SURPLUS true", "web:2 PASSING_REASON_SURPLUS true"]);
  const names = async (hps: Hps) => (await hps.images.listImages({ cluster: "lab" })).images.map(({ name }) => name);
  expect(await names(hpsd.admin)).toEqual(["db:1", "web:1", "web:2", "web:3", "web:4"]);

  expect(await hpsd.program().stop()).toBe(0);
  await hpsd.start();
  const again = await hpsd.connect();
  await until("they go", 20_000, async () => (await names(again)).length === 3);
  expect(await names(again)).toEqual(["db:1", "web:3", "web:4"]);
  const { events } = await again.audit.listAuditEvents({ pageSize: 100 });
  const gone = events.filter(({ action }) => action === "image.expire");
  expect(gone.map(({ actor, details }) => [actor, details.name]).sort()).toEqual([
    ["hpsd", "web:1"],
    ["hpsd", "web:2"],
  ]);
});
