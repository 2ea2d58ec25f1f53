import { parseTerminalType, parseWindowSize } from "../../proto/values/terminal.ts";
import { startCommand } from "./command.ts";
import { loginEnvironment, loginFolder, loginShell } from "./login.ts";
import type { Program } from "./program.ts";
import type { ShellLimits } from "./shell-limits.ts";
import { openTerminal } from "./terminal.ts";

/** What hpsd asks for: the OpenShell command. */
export interface ShellRequest {
  /** Its id. */
  readonly session: string;
  /** Empty: a login shell on a terminal. Else argv, without a terminal. */
  readonly command: readonly string[];
  readonly term: string;
  readonly rows: number;
  readonly columns: number;
}

/** A login shell on a terminal, or the command with pipes. Throws HpsError when it cannot be started. */
export async function startProgram(request: ShellRequest, limits: ShellLimits): Promise<Program> {
  const cwd = loginFolder();
  const shell = loginShell();
  const { command, rows, columns } = request;
  if (command.length > 0) {
    return await startCommand({ argv: command, env: loginEnvironment(shell[0]), cwd, limits });
  }
  const env = loginEnvironment(shell[0], parseTerminalType(request.term));
  return openTerminal({ argv: shell, env, cwd, size: parseWindowSize({ rows, columns }), limits });
}
