import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { newUuid } from "../../proto/values/uuid.ts";
import { digestOfRecording, Recorder } from "../../server/core/shells/recorder.ts";

const WRITER = fileURLToPath(new URL("recording-writer.ts", import.meta.url));
const KILLS = 4;

/** Starts the writer and kills it after a while; how many bytes it said were recorded. */
async function killedWriter(folder: string, id: string): Promise<number> {
  const child = spawn(process.execPath, [WRITER, folder, id], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const ended = Promise.all([once(lines, "close"), once(child, "close")]);
  let recorded = 0;
  const begun = Promise.withResolvers<void>();
  lines.on("line", (line) => {
    recorded = Number(line);
    begun.resolve();
  });
  await begun.promise;
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
  child.kill("SIGKILL");
  await ended;
  return recorded;
}

/** What a cast shows; each of its lines must be whole. */
function shown(cast: string): string {
  const [header = "", ...lines] = cast.trimEnd().split("\n");
  expect(JSON.parse(header)).toMatchObject({ version: 3 });
  const events = lines.filter((line) => !line.startsWith("#")).map((line) => JSON.parse(line));
  return events.flatMap(([, code, data]) => (code === "o" ? [data] : [])).join("");
}

test("after kill -9 nothing that was shown is missing, and the next process goes on to a whole recording", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "hps-recording-kill-"));
  try {
    for (let round = 0; round < KILLS; round += 1) {
      const id = newUuid();
      const recorded = await killedWriter(folder, id);
      expect(recorded).toBeGreaterThan(0);
      const left = await readFile(path.join(folder, `${id}.raw`));
      expect(left.length).toBeGreaterThanOrEqual(recorded);

      const session = { id, command: [], startedAt: Date.now() };
      const recorder = await Recorder.reopen({ folder, mode: "strict" }, session, Date.now());
      expect(recorder.outputBytes).toBe(left.length);
      const { digest } = await recorder.finish({ code: null, reason: "hpsd was killed", traffic: {} });
      const cast = await readFile(path.join(folder, `${id}.cast`));
      expect(digest).toBe(`sha256:${createHash("sha256").update(cast).digest("hex")}`);
      expect((await digestOfRecording(folder, id, [])).digest).toBe(digest);
      expect(shown(cast.toString())).toBe(left.toString("utf8"));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
