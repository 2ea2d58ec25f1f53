/** hpsctl's commands. A group is loaded when it is named, so that help and completion start at once. */
import { Command, Option } from "commander";
import { VERSION } from "../../proto/values/program-version.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { FORMATS } from "../output/formats.ts";
import type { Terminal } from "../output/terminal.ts";
import type { AddCommands, Tools } from "./group.ts";

const SHELL_HELP = `
Without a command it is an interactive shell, in your window's size; hpsctl ends with its exit code. With one, standard input
and output are the command's, byte for byte, and Ctrl-C is passed on to it. Escapes on a terminal, after a newline: ~. leaves,
~d detaches, ~? lists all. docs/shell.md tells the rest.
  hpsctl installer-shell web01
  hpsctl installer-shell web01 -- lsblk --json > disks.json
  hpsctl installer-shell web01 -- sh -c 'cat > /tmp/file' < file`;

const CP_HELP = `
HOST:PATH is on a host, below root's home unless PATH begins with a slash. An existing folder takes what is copied under its own name.
A single file appears whole or not at all. Each copy is a session, recorded by names and digests.
  hpsctl cp disk.conf web01:/etc/disk.conf
  hpsctl cp -rp web01:/var/log/. logs`;

interface Group {
  readonly name: string;
  readonly alias?: string;
  readonly summary: string;
  readonly load: () => Promise<AddCommands>;
}

const GROUPS: readonly Group[] = [
  {
    name: "install",
    summary: "install hosts: arm them with an image, restart them, follow",
    load: async () => (await import("./install-command.ts")).describeInstall,
  },
  {
    name: "host",
    summary: "machines: add, arm, approve, remove",
    load: async () => (await import("./host.ts")).addHostCommands,
  },
  {
    name: "installation",
    alias: "inst",
    summary: "runs of installing a host: watch, log, retry",
    load: async () => (await import("./installation.ts")).addInstallationCommands,
  },
  {
    name: "image",
    summary: "operating system images: build, import, list, remove",
    load: async () => (await import("./image.ts")).addImageCommands,
  },
  {
    name: "cluster",
    summary: "hosts with one domain and one set of operators",
    load: async () => (await import("./cluster.ts")).addClusterCommands,
  },
  {
    name: "session",
    summary: "recorded shell sessions",
    load: async () => (await import("./session.ts")).addSessionCommands,
  },
  {
    name: "grant",
    summary: "who else may enter or watch shells",
    load: async () => (await import("./grant.ts")).addGrantCommands,
  },
  {
    name: "operator",
    summary: "people and programs that may use hpsd",
    load: async () => (await import("./operator.ts")).addOperatorCommands,
  },
  {
    name: "cert",
    summary: "certificates: list, revoke, rotate",
    load: async () => (await import("./cert.ts")).addCertCommands,
  },
  {
    name: "audit",
    summary: "who did what, and what was refused",
    load: async () => (await import("./audit.ts")).addAuditCommands,
  },
  {
    name: "installer-image",
    summary: "the system that installs hosts: build",
    load: async () => (await import("./installer-image.ts")).addInstallerImageCommands,
  },
  {
    name: "context",
    summary: "the servers this hpsctl knows",
    load: async () => (await import("./context.ts")).addContextCommands,
  },
];

/** The whole command line, its groups not loaded yet. */
export function buildProgram(tools: Tools): Command {
  const program = new Command("hpsctl").description("Control hpsd: hosts, installations, operators.");
  configure(program, tools.terminal);
  addGlobals(program);
  program.version(VERSION, "-V, --version", "print the version").helpCommand(false);
  for (const { name, alias, summary } of GROUPS) {
    const group = program.command(name).description(summary).helpCommand(false);
    if (alias !== undefined) group.alias(alias);
  }
  program.hook("preSubcommand", (_program, command) => loadGroup(command, tools));
  addSessions(program, tools);
  addSingles(program, tools);
  return program;
}

/** Fills a group with its commands, or a command with its options, once; does nothing for any other command. */
export async function loadGroup(command: Command, tools: Tools): Promise<void> {
  const group = GROUPS.find(({ name }) => name === command.name());
  const known = command.commands.length + command.options.length > 0;
  if (group === undefined || known || command.parent?.parent != null) return;
  (await group.load())(command, tools);
}

function configure(program: Command, { stdout, stderr }: Terminal): void {
  program
    .exitOverride()
    .showHelpAfterError("(add --help for what can be said here)")
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (command) => [command.name(), ...command.aliases()].join(", "),
    })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(safeText(text, { keepLayout: true })),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}

function addGlobals(program: Command): void {
  program
    .optionsGroup("Options of every command:")
    .addOption(new Option("-o, --output <format>", "how to print").choices(FORMATS).default("table"))
    .option("--context <name>", "which server, by its context (HPS_CONTEXT)")
    .option("--cluster <name>", "cluster of names without one, and of lists (HPS_CLUSTER)")
    .option("--server <host:port>", "instead of the context's")
    .option("--timeout <duration>", "longest wait for an answer, such as 1m (default: 15s; none when watching)");
}

function addSessions(program: Command, { run }: Tools): void {
  program
    .command("installer-shell")
    .alias("shell")
    .description("a recorded shell, or one command, on a host's installer")
    .argument("<host>", "HOST, CLUSTER/HOST or id")
    .argument("[command...]", "after --")
    .option("--reason <text>", "why; goes to the audit log")
    .option("--log", "first print the log of its installation so far, on standard error")
    .option("--wait <duration>", "for an agent to attach, at most so long (default: on a terminal for ever, else not)")
    .option("--no-wait", "fail at once when no agent is attached")
    .option("-e, --escape-char <char>", "what begins an escape on a terminal: ~, ^], none (default: ~)")
    .option("-n, --no-stdin", "read nothing from standard input")
    .option("--record-input", "record what you type too, passwords as well")
    .option(
      "--direct",
      "NOT through hpsd, for when it is down: to the host's own agent, which records; HOST or its address",
    )
    .option("--address <address>", "with --direct: where the host is reached, with or without a port")
    .addHelpText("after", SHELL_HELP)
    .action(run(async (call) => (await import("./installer-shell.ts")).installerShell(call)));
  program
    .command("cp")
    .description("copy files to a host, or from hosts to here")
    .argument("<from...>", "PATH, or HOST:PATH; the last one is where to")
    .option("-r, --recursive", "folders too, with what is in them")
    .option("-p, --preserve", "keep permission bits and times")
    .option("--reason <text>", "why; goes to the audit log")
    .option("--wait <duration>", "for an agent to attach, at most so long")
    .addHelpText("after", CP_HELP)
    .action(run(async (call) => (await import("./cp.ts")).copyFiles(call)));
}

function addSingles(program: Command, { run }: Tools): void {
  program
    .command("login")
    .description("get a certificate for this machine with an invitation")
    .argument("<url>", "https://HPSD:7444")
    .requiredOption("--token <token>", "as `hpsctl operator invite` printed it; - reads standard input")
    .option("--name <context>", "what to call the context")
    .action(run(async (call) => (await import("./login.ts")).login(call)));
  program
    .command("status")
    .description("hpsd's parts and versions")
    .action(run(async (call) => (await import("./status.ts")).status(call)));
  program
    .command("whoami")
    .description("who hpsd takes you for, and what you may do")
    .action(run(async (call) => (await import("./whoami.ts")).whoami(call)));
  program
    .command("completion")
    .description("print the completion script of a shell")
    .argument("<shell>", "bash, zsh or fish")
    .action(run(async (call) => (await import("./completion-scripts.ts")).completion(call)));
}
