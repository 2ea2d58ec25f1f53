import type { MessageInitShape } from "@bufbuild/protobuf";
import type { OpenSessionRequestSchema, OpenSessionResponse } from "../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { note } from "../output/print.ts";
import { calmScreen, rawMode, windowSize } from "../output/raw-terminal.ts";
import { type Terminal, write } from "../output/terminal.ts";
import { hostReference } from "../sdk/host-names.ts";
import type { Call } from "./call.ts";
import { ShellInput } from "./shell-input.ts";

type Request = MessageInitShape<typeof OpenSessionRequestSchema>;

export interface ShellOptions {
  readonly reason?: string;
  /** False: read nothing from standard input. */
  readonly stdin: boolean;
}

/**
 * A shell on a host, or one command. On a terminal: raw keys, window size, exit code. Else, and for a command: exact bytes both ways
 * until the input ends. Nothing but the session's own output goes to stdout.
 */
export async function installerShell(call: Call): Promise<number> {
  const { terminal } = call;
  const hps = await call.connect();
  const host = hostReference(call.operand(0), hps.cluster);
  const command = call.operands.slice(1);
  const { reason = "", stdin } = call.options<ShellOptions>();
  const interactive = stdin && command.length === 0 && isTerminal(terminal);
  const start = interactive
    ? { host, reason, term: terminal.environment.TERM ?? "dumb", window: windowSize(terminal) }
    : { host, reason, command: command.length === 0 ? ["/bin/sh"] : command };
  const first: Request = { message: { case: "start", value: start } };
  const input = new ShellInput(terminal, { first, interactive, stdin });
  const responses = hps.shells.openSession(input, call.stream);
  return interactive ? onTerminal(terminal, responses) : exitCode(terminal, responses);
}

function isTerminal({ stdin, stdout }: Terminal): boolean {
  return stdin.isTTY === true && stdout.isTTY === true;
}

async function onTerminal(terminal: Terminal, responses: AsyncIterable<OpenSessionResponse>): Promise<number> {
  const raw = rawMode(terminal);
  try {
    return await exitCode(terminal, responses);
  } catch (error) {
    await calmScreen(terminal);
    throw error;
  } finally {
    raw.restore();
  }
}

/** Passes output on as fast as it is taken; gives the exit code of the session. */
async function exitCode(terminal: Terminal, responses: AsyncIterable<OpenSessionResponse>): Promise<number> {
  for await (const { message } of responses) {
    if (message.case === "output") await write(terminal.stdout, message.value);
    else if (message.case === "errorOutput") await write(terminal.stderr, message.value);
    else if (message.case === "exit") {
      const { code, reason } = message.value;
      if (reason !== "") await note(terminal, `hpsctl: the session ended: ${reason}`);
      return code;
    }
  }
  throw new HpsError("data-loss", "the session ended without an exit code");
}
