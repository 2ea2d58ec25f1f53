import type { OpenShell } from "../../proto/gen/hps/v1/agent_pb.ts";
import { parseTerminalType, parseWindowSize } from "../../proto/values/terminal.ts";
import { startCommand } from "./command.ts";
import { loginEnvironment, loginFolder, loginShell } from "./login.ts";
import type { Program } from "./program.ts";
import type { ShellLimits } from "./shell-limits.ts";
import { openTerminal } from "./terminal.ts";

/** A login shell on a terminal, or the command with pipes. Throws HpsError when it cannot be started. */
export async function startProgram(request: OpenShell, limits: ShellLimits): Promise<Program> {
  const cwd = loginFolder();
  const shell = loginShell();
  const { command, rows, columns } = request;
  if (command.length > 0) {
    return await startCommand({ argv: command, env: loginEnvironment(shell[0]), cwd, limits });
  }
  const env = loginEnvironment(shell[0], parseTerminalType(request.term));
  return openTerminal({ argv: shell, env, cwd, size: parseWindowSize({ rows, columns }), limits });
}
