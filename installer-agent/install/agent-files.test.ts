import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AgentPlace, copyAgent } from "./agent-files.ts";

let place: AgentPlace;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hps-agent-files-"));
  place = { programs: join(folder, "opt"), libraries: join(folder, "lib"), loader: join(folder, "ld.so") };
  for (const path of [place.programs, place.libraries]) await mkdir(path);
});
afterEach(() => rm(folder, { recursive: true }));

test("the agent is copied with its libraries, links as the files they lead to, and replaces an older one whole", async () => {
  const programs = ["hps-agent.cjs", "hps-agent.js", "hps-unpack-worker.cjs", "node", "pty.node"];
  for (const name of programs) await writeFile(join(place.programs, name), name);
  await chmod(join(place.programs, "node"), 0o555);
  await writeFile(join(place.libraries, "libc-2.36.so"), "libc");
  await symlink("libc-2.36.so", join(place.libraries, "libc.so.6"));
  await symlink("nowhere", join(place.libraries, "libx.so"));
  await mkdir(join(place.libraries, "gconv"));
  await writeFile(join(place.libraries, "ld-linux-x86-64.so.2"), "another");
  await writeFile(place.loader, "loader");
  const to = join(folder, "state/agent");
  await mkdir(`${to}.new/left`, { recursive: true });
  await mkdir(join(to, "old"), { recursive: true });
  expect(await copyAgent(to, place)).toBeGreaterThan(20);
  expect((await readdir(to)).toSorted()).toEqual([...programs, "lib"].toSorted());
  expect((await readdir(join(to, "lib"))).toSorted()).toEqual(["ld-linux-x86-64.so.2", "libc-2.36.so", "libc.so.6"]);
  expect(await readFile(join(to, "lib/libc.so.6"), "utf8")).toBe("libc");
  expect(await readFile(join(to, "lib/ld-linux-x86-64.so.2"), "utf8")).toBe("loader");
  expect((await stat(join(to, "node"))).mode & 0o777).toBe(0o755);
  expect(await readdir(join(folder, "state"))).toEqual(["agent"]);
});

test("an installer that was put together by hand is refused in words", async () => {
  await expect(copyAgent(join(folder, "state/agent"), place)).rejects.toThrow("the installer has no node in");
});
