/** What the commands that take part in sessions share. */
import { HpsError } from "../../proto/values/hps-error.ts";
import type { WindowSize } from "../../proto/values/terminal.ts";
import type { Call } from "../commands/call.ts";
import { printError } from "../output/print-error.ts";
import type { Terminal } from "../output/terminal.ts";
import type { Hps } from "../sdk/connect.ts";
import { NO_CODE } from "./command-session.ts";
import { Connection } from "./connection.ts";
import type { SessionExit } from "./exit-text.ts";
import type { TerminalWish } from "./terminal-session.ts";

/** How this terminal takes part in the connection's session, and comes back into it. */
export function terminalWish(
  call: Call,
  hps: Hps,
  { session }: Connection,
  wish: Pick<TerminalWish, "escapeKey" | "window" | "write">,
): TerminalWish {
  const { id } = session;
  const { write } = wish;
  return {
    ...wish,
    terminal: call.terminal,
    attach: async (window: WindowSize) =>
      await Connection.attach(hps, { session: id, write, ...(write && { window }) }, call.stream),
    ended: async () => await endOf(call, hps, id),
  };
}

async function endOf(call: Call, hps: Hps, id: string): Promise<SessionExit> {
  const { exitCode, endReason } = await hps.shells.getSession({ session: id }, call.once);
  return { code: exitCode, signal: 0, reason: endReason };
}

/** A session that breaks off has no exit code of its own: what ended it is said, and 255 is given as ssh does. */
export async function withoutCode(terminal: Terminal, carry: () => Promise<number>): Promise<number> {
  try {
    return await carry();
  } catch (error) {
    if (!(error instanceof HpsError) || terminal.signal.aborted) throw error;
    await printError(terminal, error);
    return NO_CODE;
  }
}
