import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = new URL("../..", import.meta.url).pathname;
const run = promisify(execFile);

let folder = "";
let serving: ChildProcess | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hps-pack-"));
});

afterAll(async () => {
  if (serving && serving.exitCode === null) {
    serving.kill("SIGTERM");
    await once(serving, "exit");
  }
  await rm(folder, { recursive: true, force: true });
});

/** Runs a program of the installed package where nothing of the repository is near. */
async function installed(program: string, ...args: string[]) {
  const env = { ...process.env, HPSCONFIG: join(folder, "hpsctl.yaml") };
  return await run(join(folder, "node_modules/.bin", program), args, { cwd: folder, env, timeout: 60_000 });
}

test("npm pack makes a package that installs into an empty folder and gives working programs", {
  timeout: 240_000,
}, async () => {
  await run("npm", ["pack", "--pack-destination", folder], { cwd: ROOT, timeout: 120_000 });
  const [archive = ""] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
  await writeFile(join(folder, "package.json"), "{}");
  await run("npm", ["install", "--omit=optional", "--no-audit", "--no-fund", `./${archive}`], {
    cwd: folder,
    timeout: 120_000,
  });
  const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  for (const program of ["hpsd", "hpsctl", "hps-agent"]) {
    expect((await installed(program, "--version")).stdout.trim(), program).toBe(version);
  }
  await writeFile(join(folder, "passphrase"), "correct horse battery staple");
  const config = ["--config", join(folder, "hpsd.yaml")];
  const made = await installed(
    "hpsd",
    "init",
    ...config,
    ...INIT.flatMap(([flag, value]) => [flag, value.replace("@", folder)]),
  );
  expect(made.stdout).toContain("cluster lab");
  const { grpc, https } = await serve(config);
  const page = await Promise.all(
    ["", "terminal.js", "terminal.css"].map((file) => run("curl", ["-fsk", `${https}/web/${file}`])),
  );
  expect(page[0]?.stdout).toContain("<title>HPS terminal</title>");
  const token = (await readFile(join(folder, "invitation"), "utf8")).trim();
  await installed("hpsctl", "login", https, "--server", grpc, "--cluster", "lab", "--token", token);
  await installed("hpsctl", "host", "add", "web01", "--mac", "52:54:00:12:34:56");
  expect((await installed("hpsctl", "host", "ls", "-o", "name")).stdout.trim()).toMatch(/web01$/);
});

const INIT = [
  ["--state", "@/state"],
  ["--name", "localhost"],
  ["--cluster", "lab"],
  ["--domain", "lab.example"],
  ["--admission", "approve"],
  ["--operator", "alice"],
  ["--root-key-out", "@/root.key"],
  ["--root-passphrase-file", "@/passphrase"],
  ["--invitation-out", "@/invitation"],
] as const;

/** Starts hpsd on free ports; gives the addresses it says it is ready on. */
async function serve(config: readonly string[]): Promise<{ grpc: string; https: string }> {
  const free = ["--set", "listen.grpc=127.0.0.1:0", "--set", "listen.https=127.0.0.1:0"];
  const child = spawn(join(folder, "node_modules/.bin/hpsd"), ["serve", ...config, ...free], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  serving = child;
  for await (const line of createInterface({ input: child.stdout })) {
    const found = /^hpsd is ready: gRPC (\S+), HTTPS (\S+)$/.exec(line);
    if (found?.[1] !== undefined && found[2] !== undefined) return { grpc: found[1], https: found[2] };
  }
  throw new Error("hpsd ended before it was ready");
}
