import type { StartSession } from "../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { parseCommand, parseReason } from "../../proto/values/shell-command.ts";
import { parseShellEnvironment, type ShellEnvironment } from "../../proto/values/shell-environment.ts";
import { parseTerminalType, parseWindowSize, type WindowSize } from "../../proto/values/terminal.ts";
import type { DirectList } from "./signed-list.ts";

/** What an operator asks to run. */
export interface DirectStart extends WindowSize {
  readonly command: readonly string[];
  readonly term: string;
  readonly reason: string;
  readonly environment: ShellEnvironment;
  /** By the cluster's rule, or the operator's own wish. */
  readonly recordInput: boolean;
}

/** Checks all of a request. `not-found` when it is for another host. */
export function parseDirectStart(start: StartSession, list: DirectList): DirectStart {
  const { command, term, window = { rows: 24, columns: 80 }, reason } = start;
  checkHost(start.host, list);
  if (start.copy !== undefined) throw new HpsError("unimplemented", "files are copied through hpsd alone");
  parseReason(reason);
  if (list.reasonRequired && reason.trim() === "") {
    throw new HpsError("precondition", `cluster ${list.cluster} lets nobody into a shell without a reason`, {
      hint: "say why: --reason TEXT; it goes into the recording and, with that, to hpsd's audit log",
    });
  }
  if (command.length > 0) parseCommand(command);
  const type = command.length > 0 ? "" : parseTerminalType(term === "" ? "xterm" : term);
  const environment = parseShellEnvironment(start.environment);
  const recordInput = list.recordInput || start.recordInput;
  return { command: [...command], term: type, reason, environment, recordInput, ...parseWindowSize(window) };
}

/** Empty where the operator named an address alone: then the certificate has said which host it is. */
function checkHost(asked: string, { hostId, cluster, host }: DirectList): void {
  if (["", hostId, `${cluster}/${host}`].includes(asked)) return;
  throw new HpsError("not-found", `this is host ${cluster}/${host}, not ${quote(asked)}`);
}
