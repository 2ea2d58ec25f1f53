import { createInterface } from "node:readline/promises";
import { HpsError } from "../../proto/values/hps-error.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import type { Terminal } from "../output/terminal.ts";
import type { Call } from "./call.ts";

/** Asks before what cannot be undone. `--yes` answers; without it and without a terminal it is refused. */
export async function confirm(call: Call, question: string): Promise<void> {
  if (call.options<{ yes?: true }>().yes === true) return;
  const { stdin, stderr } = call.terminal;
  if (stdin.isTTY !== true || stderr.isTTY !== true) {
    throw new HpsError("invalid", `${question}: not confirmed`, { hint: "add --yes to do it without being asked" });
  }
  const answer = await ask(call.terminal, `${safeText(question)}? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new HpsError("cancelled", "not confirmed, nothing was done");
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
