import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { OperatorSession } from "../e2e/operator-session.ts";
import { auditOf, startShellRig } from "../e2e/shell-rig.ts";
import { smallDisk } from "./small-disk.ts";

test("a disk that fills under the recorder ends the session, and nothing unrecorded was shown", async () => {
  using disk = smallDisk(1);
  await using rig = await startShellRig({ folder: disk.path });
  const session = OperatorSession.open(rig.operator, { host: "lab/h1", term: "xterm" });
  const { id } = await session.session;
  await session.type("seq 1000000\n");
  const { reason } = await session.exit();
  expect(reason).toBe("the session cannot be recorded, and without a recording there is no shell");
  const raw = readFileSync(path.join(disk.path, `${id}.raw`));
  const shown = Buffer.concat(session.output);
  expect(shown.length).toBeGreaterThan(10_000);
  expect(raw.subarray(0, shown.length).equals(shown)).toBe(true);
  const cast = readFileSync(path.join(disk.path, `${id}.cast`));
  const recordingDigest = `sha256:${createHash("sha256").update(cast).digest("hex")}`;
  expect(await rig.operator.getSession({ session: id })).toMatchObject({ endReason: reason, recordingDigest });
  const details = { recorded: "no", recordingDigest };
  expect((await auditOf(rig)).at(-1)).toMatchObject({ action: "session.end", reason, details });
  await expect.poll(() => rig.agent.count, { timeout: 10_000 }).toBe(0);
  // The next one is refused outright: there is no room even to begin its recording.
  const next = OperatorSession.open(rig.operator, { host: "lab/h1", term: "xterm" });
  await expect(next.session).rejects.toMatchObject({ code: "unavailable" });
});
