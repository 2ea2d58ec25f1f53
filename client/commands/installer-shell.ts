import { parseDuration } from "../../proto/values/duration.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { shellEnvironmentOf } from "../../proto/values/shell-environment.ts";
import { windowSize } from "../output/raw-terminal.ts";
import type { Terminal } from "../output/terminal.ts";
import { hostReference } from "../sdk/host-names.ts";
import { commandSession } from "../shell/command-session.ts";
import { Connection, type SessionStart } from "../shell/connection.ts";
import { directShell } from "../shell/direct-shell.ts";
import { parseEscape } from "../shell/escape-option.ts";
import { printInstallLog } from "../shell/install-log.ts";
import { terminalWish, withoutCode } from "../shell/session-call.ts";
import { terminalSession } from "../shell/terminal-session.ts";
import { whenThere } from "../shell/wait-for-host.ts";
import type { Call } from "./call.ts";

export interface ShellOptions {
  readonly reason?: string;
  /** False: read nothing from standard input. */
  readonly stdin: boolean;
  readonly log?: true;
  /** A duration; false: not at all. */
  readonly wait?: string | false;
  readonly escapeChar?: string;
  readonly recordInput?: true;
  /** Past hpsd. */
  readonly direct?: true;
  readonly address?: string;
}

/**
 * A shell on a host, or one command. On a terminal: raw keys, window size, exit code. Else, and for a command: exact bytes both ways
 * until the input ends. Nothing but the session's own output goes to stdout.
 */
export async function installerShell(call: Call): Promise<number> {
  const { terminal } = call;
  const { reason = "", stdin, log, wait, escapeChar, recordInput = false } = call.options<ShellOptions>();
  const escapeKey = parseEscape(escapeChar);
  const command = call.operands.slice(1);
  const interactive = stdin && command.length === 0 && isTerminal(terminal);
  const limitMs = waitLimit(wait, interactive);
  const window = windowSize(terminal);
  const common = { reason, recordInput, environment: shellEnvironmentOf(terminal.environment) };
  const start = (host: string): SessionStart =>
    interactive
      ? { ...common, host, term: terminal.environment.TERM ?? "dumb", window }
      : { ...common, host, command: command.length === 0 ? ["/bin/sh"] : command };
  const { direct, address } = call.options<ShellOptions>();
  if (direct !== true && address !== undefined) throw new HpsError("invalid", "--address goes with --direct alone");
  if (direct === true) {
    if (log || typeof wait === "string")
      throw new HpsError("invalid", "--log and --wait need hpsd, and --direct goes past it");
    const wish = { text: call.operand(0), address, start, input: stdin ? "all" : "end" } as const;
    return await directShell(call, interactive ? { ...wish, terminal: { escapeKey, window } } : wish);
  }
  const hps = await call.connect();
  const host = hostReference(call.operand(0), hps.cluster);
  using connection = await whenThere(call, hps, { host, limitMs }, () =>
    Connection.open(hps, start(host), call.stream),
  );
  if (log) await printInstallLog(call, hps, host);
  return await withoutCode(terminal, async () =>
    interactive
      ? await terminalSession(connection, terminalWish(call, hps, connection, { escapeKey, window, write: true }))
      : await commandSession(terminal, connection, { input: stdin ? "all" : "end" }),
  );
}

/** Whoever sits at a terminal can stop waiting; a script wants to know at once. */
function waitLimit(wait: string | false | undefined, interactive: boolean): number {
  if (wait === false) return 0;
  if (wait !== undefined) return parseDuration(wait);
  return interactive ? Number.POSITIVE_INFINITY : 0;
}

function isTerminal({ stdin, stdout }: Terminal): boolean {
  return stdin.isTTY === true && stdout.isTTY === true;
}
