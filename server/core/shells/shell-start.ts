import { type Copy, CopyDirection, type StartSession } from "../../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseShellEnvironment, type ShellEnvironment } from "../../../proto/values/shell-environment.ts";
import {
  parseTerminalType,
  parseWindowSize,
  type TerminalType,
  type WindowSize,
} from "../../../proto/values/terminal.ts";

/** What an operator asks to run. */
export interface ShellStart {
  /** argv, without a terminal; empty: a login shell on the terminal. */
  readonly command: readonly string[];
  /** Set when `command` is empty. */
  readonly terminal?: TerminalWish;
  readonly reason: string;
  readonly environment: ShellEnvironment;
  /** Set when `command` copies files: which of its streams is their archive. */
  readonly copy?: CopyWish;
  /** What is typed or sent is recorded too. */
  readonly recordInput?: boolean;
}

/** `to-host`: the archive is the command's standard input; `from-host`: its standard output. */
export type CopyWish = "to-host" | "from-host";

export interface TerminalWish extends WindowSize {
  readonly term: TerminalType;
}

/** It travels in one command message of at most 1 MiB, and Linux itself takes no argument above 128 KiB. */
const MAX_ARGUMENTS = 1024;
const MAX_COMMAND_BYTES = 64 * 1024;
const MAX_REASON = 1024;
const DEFAULT_TERM = "xterm";
const DEFAULT_WINDOW: WindowSize = { rows: 24, columns: 80 };

/**
 * Checks the fields of a request beside its host. Arguments are UTF-8, because a proto string is: bytes that are not
 * go through the command's standard input.
 */
export function parseShellStart(start: StartSession): ShellStart {
  const { command, term, window, reason } = start;
  parseReason(reason);
  const environment = parseShellEnvironment(start.environment);
  const copy = start.copy === undefined ? {} : { copy: parseCopy(start.copy, command) };
  const wish = { reason, environment, ...(start.recordInput && { recordInput: true }) };
  if (command.length > 0) return { command: parseCommand(command), ...wish, ...copy };
  const size = parseWindowSize(window ?? DEFAULT_WINDOW);
  const terminal = { ...size, term: parseTerminalType(term === "" ? DEFAULT_TERM : term) };
  return { command: [], terminal, ...wish };
}

/** Why somebody does it, in their own words. */
export function parseReason(reason: string): string {
  if (reason.length <= MAX_REASON) return reason;
  throw new HpsError("invalid", `the reason has ${reason.length} characters, above ${MAX_REASON}`);
}

function parseCopy({ direction }: Copy, command: readonly string[]): CopyWish {
  if (command.length === 0) throw new HpsError("invalid", "a copy needs the command that does it");
  if (direction === CopyDirection.TO_HOST) return "to-host";
  if (direction === CopyDirection.FROM_HOST) return "from-host";
  throw new HpsError("invalid", "the copy has no direction, or one this hpsd does not know");
}

function parseCommand(command: readonly string[]): readonly string[] {
  if (command.length > MAX_ARGUMENTS) {
    throw new HpsError("invalid", `the command has ${command.length} arguments, above ${MAX_ARGUMENTS}`);
  }
  const bytes = command.reduce((sum, argument) => sum + Buffer.byteLength(argument) + 1, 0);
  if (bytes > MAX_COMMAND_BYTES) {
    throw new HpsError("invalid", `the command has ${bytes} bytes, above ${MAX_COMMAND_BYTES}`, {
      hint: "send what is long through its standard input",
    });
  }
  if (command[0] === "") throw new HpsError("invalid", "the command has no program: its first argument is empty");
  if (command.some((argument) => argument.includes("\0"))) {
    throw new HpsError("invalid", "an argument of the command has a zero byte, which no program can be given");
  }
  return command;
}
