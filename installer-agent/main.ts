import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { readAgentConfig } from "../proto/config/agent-config.ts";
import { parseClaim } from "../proto/config/claim.ts";
import { readSmallFile } from "../proto/config/private-file.ts";
import { type Facts, parseFactsJson } from "../proto/values/facts.ts";
import { ERROR_TABLE, HpsError } from "../proto/values/hps-error.ts";
import { VERSION } from "../proto/values/program-version.ts";
import type { AgentOptions } from "./agent-options.ts";
import { type CaptureOrder, capture } from "./capture/capture.ts";
import { runHost } from "./host/host-agent.ts";
import { runOnBareMetal } from "./install/bare-metal.ts";
import { runInstaller } from "./install/installer.ts";
import { waitForCard } from "./install/machine.ts";
import { createLog, describeError, LOG_LEVELS, type Log, type LogLevel } from "./log.ts";
import { LogTail } from "./log-tail.ts";
import { ShellSessions } from "./shell/shell-sessions.ts";
import { setSystemClock } from "./system/clock.ts";
import { Consoles } from "./system/consoles.ts";
import { readFacts } from "./system/facts.ts";
import { restartInstaller } from "./system/power.ts";

/** Set by the bundler to the time of the build; the floor stands for a tree that was never built. */
declare const HPS_BUILT: string | undefined;
const BUILT = Date.parse(typeof HPS_BUILT === "string" ? HPS_BUILT : "2026-01-01T00:00:00Z");

interface Flags {
  readonly mode: "installer" | "host";
  readonly claim?: string;
  readonly facts?: string;
  readonly state?: string;
  readonly config?: string;
  readonly set: readonly string[];
  readonly setClock: boolean;
  readonly bareMetal: boolean;
  readonly logLevel: LogLevel;
}

const program = new Command("hps-agent")
  .description(
    "Installs a machine, or speaks for an installed one. Started by the installer and by the installed system.",
  )
  .version(VERSION)
  .addOption(new Option("--mode <mode>", "what it is").choices(["installer", "host"]).default("installer"))
  .option("--claim <file>", "the claim that lets it enrol (mode installer)")
  .option("--facts <file>", "be this machine (JSON) instead of the real one; for tests")
  .option("--state <folder>", "where key and certificate are kept (0700)")
  .option("--config <file>", "settings (YAML)")
  .addOption(new Option("--set <name=value>", "one setting").default([], "none").argParser(append))
  .option("--set-clock", "set the machine's clock when it is wrong (mode installer)", false)
  .option("--bare-metal", "this machine is booted for this alone: bring up its network, speak on its consoles", false)
  .addOption(new Option("--log-level <level>", "what is written").choices([...LOG_LEVELS]).default("info"))
  .action(async (flags: Flags) => await main(flags));

program
  .command("capture")
  .description(
    "write this system's file tree to the standard output, as .tar.zst, without what is this machine's alone",
  )
  .option("--root <folder>", "of the tree", "/")
  .option("--exclude <pattern...>", "leave out too: opt/data/**", [])
  .option("--mount <folder...>", "other file systems that belong to it, beside /boot", [])
  .option("--whole", "all of a tree that is not running, as it is", false)
  .action(async ({ mount, ...order }: Omit<CaptureOrder, "mounts"> & { readonly mount: readonly string[] }) => {
    const say = (line: string) => void process.stderr.write(`${line}\n`);
    await capture({ ...order, mounts: mount }, process.stdout, say).catch((error: unknown) => {
      say(describeError(error));
      process.exit(exitCode(error));
    });
  });

// Waited for by nobody: the bundle is a script (see client/build/installer/agent-bundle.ts), and a script cannot wait at its top.
void program.parseAsync();

async function main(flags: Flags): Promise<never> {
  const consoles = flags.bareMetal ? await Consoles.open() : undefined;
  const tail = new LogTail();
  const log = createLog(flags.logLevel, (line) => {
    tail.push(line);
    if (consoles === undefined) process.stderr.write(line);
    else consoles.write(line);
  });
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () =>
      stop.abort(
        new HpsError("cancelled", `the host's agent was stopped by ${name}: is the host shut down or restarted?`),
      ),
    );
  }
  try {
    await run(flags, { consoles, tail, log }, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) fail(error, log);
  }
  log.info("stopped");
  process.exit(0);
}

/** How it speaks. */
interface Voices {
  /** Of a machine that is booted for this alone. */
  readonly consoles: Consoles | undefined;
  readonly tail: LogTail;
  readonly log: Log;
}

async function run(flags: Flags, { consoles, tail, log }: Voices, signal: AbortSignal): Promise<void> {
  const { mode, claim, setClock } = flags;
  const config = await readConfig(flags);
  const shells = new ShellSessions({ log, marks: join(config.state, "shells") });
  await shells.endLeft();
  const options: AgentOptions = {
    config,
    facts: await factsOf(flags, log, signal),
    log,
    version: VERSION,
    shells,
  };
  const commandLine = (await readSmallFile("/proc/cmdline").catch(() => undefined)) ?? "";
  if (mode === "host") return runHost({ ...options, commandLine }, signal);
  if (claim === undefined) throw new HpsError("invalid", "--claim is needed in mode installer");
  const clock = setClock ? { setClock: setSystemClock } : {};
  const installer = {
    ...options,
    ...clock,
    restart: restartInstaller,
    onHold: hearHolds,
    claim: parseClaim(await textOf(claim)),
    built: BUILT,
  };
  if (consoles === undefined) return runInstaller(installer, signal);
  return runOnBareMetal(installer, { consoles, tail, commandLine }, signal);
}

async function readConfig({ config, state, set, mode }: Flags) {
  const file = config ?? process.env.HPS_AGENT_CONFIG;
  const text = file === undefined ? "" : await textOf(file);
  // Where nobody says otherwise, an installer's state is memory: it must be gone with the machine.
  const unsaid = file === undefined && process.env.HPS_AGENT_STATE === undefined;
  const folder = given(state) ?? (mode === "installer" && unsaid ? "/run/hps-agent" : undefined);
  const sets = [...(folder === undefined ? [] : [`state=${folder}`]), ...set];
  return readAgentConfig({ text, file: file ?? "settings", environment: process.env, sets });
}

/** As often as they come: not the default of either, which would stop the agent itself. */
function hearHolds(hear: (held: boolean) => void): void {
  process.on("SIGTSTP", () => hear(true));
  process.on("SIGCONT", () => hear(false));
}

/** The settings want an absolute path; on the command line one is given from where one stands. */
function given(folder: string | undefined): string | undefined {
  return folder === undefined ? undefined : resolve(folder);
}

async function factsOf({ facts, bareMetal }: Flags, log: Log, signal: AbortSignal): Promise<Facts> {
  if (facts !== undefined) return parseFactsJson(await textOf(facts));
  if (bareMetal) await waitForCard(log, signal);
  return readFacts();
}

async function textOf(file: string): Promise<string> {
  const text = await readSmallFile(file);
  if (text === undefined) throw new HpsError("not-found", `${file} does not exist`);
  return text;
}

function append(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function fail(error: unknown, log: Log): never {
  log.error(describeError(error));
  if (!(error instanceof HpsError) && error instanceof Error) log.debug(error.stack ?? error.name);
  process.exit(exitCode(error));
}

function exitCode(error: unknown): number {
  return error instanceof HpsError ? ERROR_TABLE[error.code].exit : 1;
}
