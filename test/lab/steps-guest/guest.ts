/*
 * Runs in a guest in the place of the agent: the installer's own steps, on the guest's own disks, without an hpsd. What it is told to do and
 * all files it "fetches" lie in its initramfs; what came of it goes to the console, a line of JSON each.
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import { lstat, open, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { InstallOrder } from "../../../installer-agent/install/install-order.ts";
import type { Job, StepContext } from "../../../installer-agent/install/step.ts";
import { image } from "../../../installer-agent/install/steps/image.ts";
import { storage } from "../../../installer-agent/install/steps/storage.ts";
import { machineTarget } from "../../../installer-agent/install/target.ts";
import { toolsImage } from "../../../installer-agent/install/tools.ts";
import type { FileRef } from "../../../installer-agent/link/file-request.ts";
import type { SpanFiles } from "../../../installer-agent/link/files.ts";
import { describeError } from "../../../installer-agent/log.ts";
import { readDisks } from "../../../installer-agent/system/disks.ts";
import { findInstallation } from "../../../installer-agent/system/installation-disk.ts";
import { CONFIGURATION } from "../../../installer-agent/testing/orders.ts";
import { parseDomainName } from "../../../proto/values/domain-name.ts";
import { parseEndpoint } from "../../../proto/values/endpoint.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseHttpsUrl } from "../../../proto/values/https-url.ts";
import type { GuestPlan, GuestTask } from "./tasks.ts";
import { treeSums } from "./tree-sum.ts";

const STEPS = { storage, image };
const FOLDER = "/steps";

const NOWHERE = {
  ...{ grpc: parseEndpoint("localhost:1"), https: parseHttpsUrl("https://localhost:1") },
  ...{ trustDomain: parseDomainName("example.org"), rootCertificate: "none" },
};

const say = (line: object) => appendFileSync("/dev/console", `STEPS ${JSON.stringify(line)}\n`);

async function* read({ digest }: FileRef): AsyncGenerator<Buffer> {
  const content = await readFile(join(FOLDER, digest));
  for (let at = 0; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536);
}

/** Of all that was asked for by ranges. */
let fetched = 0;

/** Packs are files as others are; the parts of one that is not among them are gone. */
const spans: SpanFiles = {
  hpsd: 0,
  async *read({ digest }, { from, to }) {
    const content = await readFile(join(FOLDER, digest)).catch(() => {
      throw new HpsError("not-found", "there is nothing at this address");
    });
    fetched += to - from;
    yield { bytes: content.subarray(from, to), origin: 0 };
  },
  distrust: () => undefined,
  close: () => undefined,
};

function contextOf(order: InstallOrder, tools: FileRef, task: GuestTask): StepContext {
  const stop = new AbortController();
  const job: Job = {
    clock: { offset: 0, action: "none", why: "" },
    facts: { firmware: "uefi", macs: [], interfaces: [], disks: [] }, // a BIOS starts no disk with large sectors
    configuration: async () => ({ ...CONFIGURATION, order, tools }),
    forgetConfiguration: () => undefined,
    contact: NOWHERE,
    hostCertificate: async () => {
      throw new HpsError("internal", "no hpsd here");
    },
    ...{ files: { read, open: () => spans }, tools: toolsImage, target: machineTarget },
    record: { log: "", journal: "" },
  };
  const log = (line: string) => {
    say({ task: task.name, log: line });
    if (task.stopAt !== undefined && line.includes(task.stopAt)) stop.abort(new HpsError("cancelled", "stopped here"));
  };
  return { job, signal: stop.signal, log, progress: () => undefined };
}

async function run(task: GuestTask, { tools }: GuestPlan): Promise<object> {
  fetched = 0;
  const context = contextOf(task.order, tools, task);
  for (const name of task.steps) await STEPS[name].run(context);
  const files: Record<string, string> = {};
  for (const path of task.show ?? []) files[path] = await shown(join("/target", path));
  const told = { fetched, ...(task.sums === true && { sums: treeSums("/target") }), ...(await signaturesOf(task)) };
  for (const [path, content] of Object.entries(task.write ?? {})) await writeFile(join("/target", path), content);
  for (const path of task.alter ?? []) await alter(join("/target", path));
  if (task.close === true) await machineTarget.close(context);
  return { files, ...told };
}

async function signaturesOf({ order, look = [] }: GuestTask): Promise<object> {
  if (look.length === 0) return {};
  const { partitions } = await findInstallation(order.installation);
  const signatures = look.map((role) => [role, text(["wipefs", "--noheadings", partitions[role]])]);
  return { signatures: Object.fromEntries(signatures) };
}

async function alter(path: string): Promise<void> {
  await using file = await open(path, "r+");
  const { atime, mtime } = await file.stat();
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, 1000);
  byte[0] = 255 - (byte[0] ?? 0);
  await file.write(byte, 0, 1, 1000);
  await file.utimes(atime, mtime);
}

function text(argv: readonly string[]): string {
  try {
    return execFileSync(argv[0] ?? "", argv.slice(1), { encoding: "utf8", timeout: 60_000 });
  } catch (error) {
    return String(error);
  }
}

/** Type, mode, owner and the beginning of what is there. */
async function shown(path: string): Promise<string> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return "nothing";
  const head = `${found.mode.toString(8)} ${found.uid}:${found.gid}`;
  if (found.isDirectory()) return `${head} [${(await readdir(path)).toSorted().join(" ")}]`;
  return found.isFile() ? `${head} ${(await readFile(path, "utf8")).slice(0, 2000)}` : head;
}

const plan: GuestPlan = JSON.parse(readFileSync(join(FOLDER, "plan.json"), "utf8"), (_key, value) =>
  value?.type === "Buffer" ? Buffer.from(value.data) : value,
);
say({ disks: await readDisks("/sys") });
for (const task of plan.tasks) {
  const began = performance.now();
  const result = await run(task, plan).catch((error: unknown) => ({
    error: describeError(error),
    ...(error instanceof HpsError ? {} : { stack: error instanceof Error ? error.stack : String(error) }),
  }));
  say({ done: task.name, ms: Math.round(performance.now() - began), ...result });
}
for (const argv of plan.ask ?? []) say({ asked: argv.join(" "), answer: text(argv) });
say({ over: true });
await sleep(500);
execFileSync("poweroff", ["-f"]);
