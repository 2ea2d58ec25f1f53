import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { Command, Option } from "commander";
import { ERROR_TABLE, HpsError } from "../proto/values/hps-error.ts";
import { VERSION } from "../proto/values/program-version.ts";
import { safeText } from "../proto/values/safe-text.ts";
import { type CommandContext, DEFAULT_CONFIG } from "./commands/command-context.ts";

const context: CommandContext = {
  environment: process.env,
  print: (line) => console.log(line),
  isRoot: process.getuid?.() === 0,
  ask: process.stdin.isTTY ? askAtTerminal : undefined,
};

/** Asks on standard error, so that standard output stays the command's own; a hidden answer is not echoed. */
async function askAtTerminal(question: string, { hidden = false } = {}): Promise<string> {
  process.stderr.write(question);
  const output = hidden ? new Writable({ write: (_chunk, _encoding, done) => done() }) : process.stderr;
  const line = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await line.question("");
  } finally {
    line.close();
    if (hidden) process.stderr.write("\n");
  }
}

const collect = (value: string, before: readonly string[]) => [...before, value];

/** A command with the flags of its configuration. Each loads its own code: `hpsd --help` loads none of it. */
function configured(name: string, description: string): Command {
  const defaultConfig = process.env.HPSD_CONFIG ?? DEFAULT_CONFIG;
  return program
    .command(name)
    .description(description)
    .option("--config <file>", "hpsd's configuration", defaultConfig)
    .addOption(
      new Option("--set <path=value>", "a setting over the configuration and HPSD_… variables; repeatable")
        .argParser(collect)
        .default([], "none"),
    );
}

const program = new Command("hpsd")
  .description("The HPS server")
  .version(VERSION)
  .showHelpAfterError("(hpsd --help explains the commands)");

configured("init", "make the state folder, the certificate authority, the first cluster and the first operator")
  .option("--state <folder>", "hpsd's own folder, for a configuration that does not exist yet")
  .option("--name <name...>", "names and addresses hpsd is reached by, for the same")
  .option("--trust-domain <name>", "of the certificates; default: the cluster's domain")
  .option("--cluster <name>", "first cluster")
  .option("--domain <domain>", "DNS domain of its hosts")
  .option("--admission <how>", "armed (trusts the boot segment) or approve (an operator compares fingerprints)")
  .option("--image-signing <how>", "none, or convenience: hpsd signs images itself, with a key that it keeps", "none")
  .option("--operator <name>", "first operator, an admin of everything")
  .option("--root-key-out <file>", "where the root key goes, outside the state folder")
  .option("--root-passphrase-file <file>", "its passphrase; default: asked for")
  .option("--invitation-out <file>", "write the operator's invitation there and do not print it")
  .action(async (flags) => await (await import("./commands/init.ts")).init(flags, context));

configured("serve", "run until SIGTERM or SIGINT").action(async (flags) => {
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort(signal));
  await (await import("./commands/serve.ts")).serve(flags, context, stopping.signal);
});

configured("check", "look at everything serve will need").action(
  async (flags) => await (await import("./commands/check.ts")).check(flags, context),
);

configured("backup <folder>", "copy all that cannot be made anew into a new folder, also while hpsd runs")
  .option("--without-images", "leave out images and installer, which somebody can import again")
  .action(async (folder, { withoutImages = false, ...flags }) => {
    const images = withoutImages !== true;
    await (await import("./commands/backup.ts")).backup(folder, { ...flags, images }, context);
  });

configured("restore <folder>", "put a backup where the state folder is to be").action(
  async (folder, flags) => await (await import("./commands/backup.ts")).restore(folder, flags, context),
);

configured("recover-admin <operator>", "invite an admin of everything; hpsd must be stopped").action(
  async (name, flags) => await (await import("./commands/recover-admin.ts")).recoverAdmin(name, flags, context),
);

program
  .command("ca")
  .description("what needs the root key; works without hpsd and network")
  .command("sign <request>")
  .description("sign the request of hpsctl cert prepare-intermediate")
  .requiredOption("--root-key <file>", "as hpsd init wrote it")
  .requiredOption("--out <file>", "where the certificate goes")
  .option("--root-certificate <file>", "default: the key's file with .pem")
  .option("--root-passphrase-file <file>", "default: asked for")
  .action(async (request, flags) => await (await import("./commands/ca-sign.ts")).caSign(request, flags, context));

try {
  program.exitOverride();
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
// Whatever would still keep the process, such as a stop that took too long, is not waited for.
process.exit();

function exitCodeOf(error: unknown): number {
  if (error instanceof HpsError) {
    console.error(`hpsd: ${safeText(error.message)}`);
    if (error.hint !== "") console.error(`hint: ${safeText(error.hint)}`);
    return ERROR_TABLE[error.code].exit;
  }
  // Commander has said it already; its help and version are no failure.
  if (error instanceof Error && "exitCode" in error && typeof error.exitCode === "number") {
    return error.exitCode === 0 ? 0 : ERROR_TABLE.invalid.exit;
  }
  console.error("hpsd: failed unexpectedly:", error);
  return ERROR_TABLE.internal.exit;
}
