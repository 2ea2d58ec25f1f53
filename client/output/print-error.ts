import type { HpsError } from "../../proto/values/hps-error.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { paint, type Terminal, write } from "./terminal.ts";

/** `error: …`, what to do next, and the incident to ask an admin about. `about` is what failed of many. */
export async function printError(terminal: Terminal, error: HpsError, about?: string): Promise<void> {
  const { stderr } = terminal;
  const label = paint(terminal, stderr, "error:", "red");
  const what = about === undefined ? error.message : `${about}: ${error.message}`;
  const { incident = "" } = error.details;
  const lines = [
    `${label} ${safeText(what)}`,
    ...(error.hint === "" ? [] : [`hint: ${safeText(error.hint)}`]),
    ...(incident === "" || error.message.includes(incident) ? [] : [`incident: ${safeText(incident)}`]),
  ];
  await write(stderr, lines.map((line) => `${line}\n`).join(""));
}
