import { HpsError } from "../../proto/values/hps-error.ts";
import { safeBytes } from "../../proto/values/safe-text.ts";
import type { Connection } from "../shell/connection.ts";
import type { SessionExit } from "../shell/exit-text.ts";
import { scriptError } from "./remote-script.ts";

/** Of what tar says; the rest would not be read. */
const MOST_SAID = 8192;

/** How the host's side ended, and what it said on its standard error. */
export interface CopyEnd {
  readonly exit: SessionExit;
  readonly said: string;
}

/** Reads the session to its end; `onOutput` gets the command's standard output. */
export async function copySession(
  connection: Connection,
  onOutput: (bytes: Uint8Array) => Promise<void> | void,
): Promise<CopyEnd> {
  const said: Uint8Array[] = [];
  let room = MOST_SAID;
  for await (const message of connection.messages()) {
    if (message.case === "output") await onOutput(message.value);
    else if (message.case === "errorOutput") {
      said.push(message.value.subarray(0, room));
      room = Math.max(0, room - message.value.length);
    } else if (message.case === "exit") {
      return { exit: message.value, said: safeBytes(Buffer.concat(said), { keepLayout: true }).trim() };
    }
  }
  throw new HpsError("data-loss", "the session ended without an exit code");
}

/** Throws what an end other than a good one means for `where`. */
export function checkEnd({ exit, said }: CopyEnd, where: string): void {
  if (exit.reason !== "") throw new HpsError("aborted", `${where} was not copied whole: ${exit.reason}`);
  if (exit.code !== 0) throw scriptError(exit.code, where, said.split("\n").at(-1) ?? "");
}
