import { CommanderError } from "commander";
import { ERROR_TABLE, HpsError } from "../proto/values/hps-error.ts";
import { complete } from "./commands/complete.ts";
import { toolsFor } from "./commands/group.ts";
import { buildProgram } from "./commands/program.ts";
import { printError } from "./output/print-error.ts";
import type { Terminal } from "./output/terminal.ts";

/** A reader of our output that went away, as the shell counts it: 128 + SIGPIPE. */
const BROKEN_PIPE = 141;

/** Carries out one command line, without the program's name. Gives the exit code; never throws. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = 0;
  const tools = toolsFor(terminal, (code) => {
    exitCode = code;
  });
  try {
    const program = buildProgram(tools);
    const [first, ...words] = args;
    if (first === "__complete") return await complete(program, tools, words);
    await program.parseAsync(first === "help" ? [...words, "--help"] : [...args], { from: "user" });
    return exitCode;
  } catch (error) {
    return failed(error, terminal);
  }
}

async function failed(error: unknown, terminal: Terminal): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : ERROR_TABLE.invalid.exit;
  if (isBrokenPipe(error)) return BROKEN_PIPE;
  if (error instanceof HpsError) {
    await printError(terminal, error).catch(() => undefined);
    return ERROR_TABLE[error.code].exit;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const bug = new HpsError("internal", `hpsctl failed: ${text}`, {
    hint: "this is a defect of hpsctl: please report it",
  });
  await printError(terminal, bug).catch(() => undefined);
  return ERROR_TABLE.internal.exit;
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}
