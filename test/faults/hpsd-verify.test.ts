/** A real hpsd whose folder of images holds what nobody names, and lacks what is named. */
import { hash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import type { Hps } from "../../client/sdk/connect.ts";
import { ImageFormat } from "../../proto/gen/hps/v1/agent_pb.ts";
import { startHpsd, until } from "./real-hpsd.ts";

const DIGEST = "ab".repeat(32);

async function imported(hps: Hps, name: string, archive: Buffer, rest: Promise<unknown> = Promise.resolve()) {
  const file = { digest: hash("sha256", archive), sizeBytes: BigInt(archive.length) };
  const source = { file, format: ImageFormat.TAR, contentBytes: 1n, entries: 1n };
  return await hps.importImage({ cluster: "lab", name, source }, pieces());

  async function* pieces() {
    yield archive.subarray(0, 1000);
    await rest;
    yield archive.subarray(1000);
  }
}

test("verify tells what nobody names from what is on its way and from what is gone; gc removes the first alone", async () => {
  await using hpsd = await startHpsd();
  const images = path.join(hpsd.state, "images");
  const arriving = () => readdirSync(images).filter((name) => name.startsWith("incoming-"));
  await imported(hpsd.admin, "kept:1", randomBytes(5000));
  const { source } = await imported(hpsd.admin, "gone:1", randomBytes(5000));
  const orphans = [`packs/${DIGEST}`, `manifests/${DIGEST}`, "deltas/incoming-6f1bb3ad-left-behind", DIGEST];
  for (const orphan of orphans) writeFileSync(path.join(images, orphan), randomBytes(3000));
  writeFileSync(path.join(images, "packs/notes.txt"), "of the operator");
  const rest = Promise.withResolvers<void>();
  const slow = imported(await hpsd.connect(), "slow:1", randomBytes(5000), rest.promise);
  await until("it arrives", 10_000, () => arriving().length === 1);

  const before = await hpsd.hpsctl("image", "verify", "-o", "json");
  expect(before.code).toBe(0);
  const found: { file: string; state: string; problems: string[] }[] = JSON.parse(before.out);
  expect(found.map(({ file, state }) => [file, state])).toEqual(
    [DIGEST, `manifests/${DIGEST}`, `packs/${DIGEST}`, "packs/notes.txt", "deltas/incoming-6f1bb3ad-left-behind"].map(
      (file) => [file, "VERIFIED_STATE_ORPHAN"],
    ),
  );
  expect(found.map(({ problems }) => problems[0]?.includes("image gc"))).toEqual([true, true, true, false, true]);
  expect(before.err).toMatch(/5 files are there that nothing names, .*\n1 file is there on the way/);

  rmSync(path.join(images, source?.file?.digest ?? ""));
  expect((await hpsd.hpsctl("image", "gc", "--dry-run")).code).toBe(0);
  for (const orphan of orphans) expect(existsSync(path.join(images, orphan)), orphan).toBe(true);
  expect((await hpsd.hpsctl("image", "gc")).code).toBe(0);
  const after = await hpsd.hpsctl("image", "verify");
  expect([after.code, after.err]).toEqual([13, expect.stringMatching(/import gone:1 again/)]);
  expect(after.out).toMatch(/archive +lost +[0-9a-f]{64} +gone:1 +the file is gone\npack +orphan +packs\/notes.txt/);
  for (const orphan of orphans) expect(existsSync(path.join(images, orphan)), orphan).toBe(false);

  // What was on its way through all that is there at its end.
  expect(arriving()).toHaveLength(1);
  rest.resolve();
  expect(await slow).toMatchObject({ name: "slow:1" });
  expect(arriving()).toEqual([]);
});
