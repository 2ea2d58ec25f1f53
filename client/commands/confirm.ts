import { createInterface } from "node:readline/promises";
import { HpsError } from "../../proto/values/hps-error.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import type { Terminal } from "../output/terminal.ts";
import type { Call } from "./call.ts";

/** Asks before what cannot be undone. `--yes` answers; without it and without a terminal it is refused. */
export async function confirm(call: Call, question: string): Promise<void> {
  if (call.options<{ yes?: true }>().yes === true) return;
  if (!canAsk(call.terminal)) {
    throw new HpsError("invalid", `${question}: not confirmed`, { hint: "add --yes to do it without being asked" });
  }
  if (!(await answersYes(call.terminal, question))) {
    throw new HpsError("cancelled", "not confirmed, nothing was done");
  }
}

/** Whether somebody is there to be asked. */
export function canAsk({ stdin, stderr }: Terminal): boolean {
  return stdin.isTTY === true && stderr.isTTY === true;
}

/** Asks on the terminal; no answer is no. */
export async function answersYes(terminal: Terminal, question: string): Promise<boolean> {
  return /^y(es)?$/i.test((await ask(terminal, `${safeText(question)}? [y/N] `)).trim());
}

/** One line; empty when the input ends or the user interrupts. */
async function ask({ stdin, stderr, signal }: Terminal, question: string): Promise<string> {
  const reader = createInterface({ input: stdin, output: stderr, terminal: false });
  // A last line and the end of the input come together: the line goes first.
  const ended = new Promise<string>((resolve) => reader.once("close", () => setImmediate(resolve, "")));
  try {
    return await Promise.race([reader.question(question, { signal }).catch(() => ""), ended]);
  } finally {
    reader.close();
  }
}
