import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { receiveCommand } from "./remote-script.ts";

/** As an agent does, to all that the command started. */
function hangUp(leader: number): void {
  try {
    process.kill(-leader, "SIGHUP");
  } catch {
    // All of it has ended.
  }
}

test("who is interrupted and hung up on as well leaves nothing, however close the two are", async () => {
  const parent = await mkdtemp(join(tmpdir(), "hps-receive-"));
  const order = { path: join(parent, "file"), parent, name: "file", what: "file", keepTimes: false } as const;
  const rounds = Array.from({ length: 40 }, async (_, round) => {
    const [program = "", ...args] = receiveCommand(order);
    const child = spawn(program, args, { detached: true, stdio: ["pipe", "pipe", "ignore"] });
    child.stdin.on("error", () => undefined);
    const ended = once(child, "exit");
    await once(child.stdout, "data"); // its folder is there
    if (round % 2 === 0) child.stdin.end();
    else hangUp(child.pid ?? 0);
    // What clears away begins about a millisecond later.
    await setTimeout((round % 20) / 4);
    hangUp(child.pid ?? 0);
    await ended;
  });
  await Promise.all(rounds);
  await expect.poll(async () => await readdir(parent)).toEqual([]);
  await rm(parent, { recursive: true });
});
