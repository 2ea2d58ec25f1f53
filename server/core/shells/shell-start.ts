import { type Copy, CopyDirection, type StartSession } from "../../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseCommand, parseReason } from "../../../proto/values/shell-command.ts";
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

const DEFAULT_TERM = "xterm";
const DEFAULT_WINDOW: WindowSize = { rows: 24, columns: 80 };

/** Checks the fields of a request beside its host. */
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

function parseCopy({ direction }: Copy, command: readonly string[]): CopyWish {
  if (command.length === 0) throw new HpsError("invalid", "a copy needs the command that does it");
  if (direction === CopyDirection.TO_HOST) return "to-host";
  if (direction === CopyDirection.FROM_HOST) return "from-host";
  throw new HpsError("invalid", "the copy has no direction, or one this hpsd does not know");
}
