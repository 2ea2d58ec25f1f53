import type { HpsError } from "../../proto/values/hps-error.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { paint, type Terminal, write } from "./terminal.ts";

export interface OneOfMany {
  /** What failed; named unless the error does. */
  readonly about: string;
  /** The hint stands there already, of the one before. */
  readonly hinted: boolean;
}

/** `error: …`, what to do next, and the incident to ask an admin about. */
export async function printError(terminal: Terminal, error: HpsError, one?: OneOfMany): Promise<void> {
  const { stderr } = terminal;
  const label = paint(terminal, stderr, "error:", "red");
  const what =
    one === undefined || error.message.includes(one.about) ? error.message : `${one.about}: ${error.message}`;
  const { incident = "" } = error.details;
  const lines = [
    `${label} ${safeText(what)}`,
    ...(error.hint === "" || one?.hinted === true ? [] : [`hint: ${safeText(error.hint)}`]),
    ...(incident === "" || error.message.includes(incident) ? [] : [`incident: ${safeText(incident)}`]),
  ];
  await write(stderr, lines.map((line) => `${line}\n`).join(""));
}
