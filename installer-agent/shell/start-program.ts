import { parseShellEnvironment } from "../../proto/values/shell-environment.ts";
import { parseTerminalType, parseWindowSize } from "../../proto/values/terminal.ts";
import { startCommand } from "./command.ts";
import { knownLocales } from "./locale.ts";
import { loginEnvironment, loginShell } from "./login.ts";
import type { Program } from "./program.ts";
import type { ShellLimits, ShellOptions } from "./shell-options.ts";
import { openTerminal } from "./terminal.ts";
import { knownTerminal } from "./terminal-type.ts";

/** What hpsd asks for: the OpenShell command. */
export interface ShellRequest {
  /** Its id. */
  readonly session: string;
  /** Empty: a login shell on a terminal. Else argv, without a terminal. */
  readonly command: readonly string[];
  readonly term: string;
  readonly rows: number;
  readonly columns: number;
  /** LANG, LC_*, COLORTERM. */
  readonly environment?: Readonly<Record<string, string>>;
  /** How long a terminal without a stream waits to be resumed. */
  readonly hold?: { readonly seconds: bigint; readonly nanos: number } | undefined;
}

/** A login shell on a terminal, or the command with pipes. Throws HpsError when it cannot be started. */
export async function startProgram(
  request: ShellRequest,
  options: ShellLimits & Pick<ShellOptions, "home">,
): Promise<Program> {
  const { home, ...limits } = options;
  const shell = loginShell();
  const { command, rows, columns, environment = {} } = request;
  const wished = await knownLocales(parseShellEnvironment(environment));
  const login = { ...loginEnvironment(shell[0], home), ...wished };
  if (command.length > 0) return await startCommand({ argv: command, env: login, cwd: home, limits });
  const env = { ...login, TERM: knownTerminal(parseTerminalType(request.term), home) };
  return openTerminal({ argv: shell, env, cwd: home, size: parseWindowSize({ rows, columns }), limits });
}
