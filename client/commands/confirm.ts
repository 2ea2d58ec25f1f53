import { createInterface } from "node:readline/promises";
import { HpsError } from "../../proto/values/hps-error.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import type { Call } from "./call.ts";

/** Asks before what cannot be undone. `--yes` answers; without it and without a terminal it is refused. */
export async function confirm(call: Call, question: string): Promise<void> {
  if (call.options<{ yes?: true }>().yes === true) return;
  const { stdin, stderr, signal } = call.terminal;
  if (stdin.isTTY !== true || stderr.isTTY !== true) {
    throw new HpsError("invalid", `${question}: not confirmed`, { hint: "add --yes to do it without being asked" });
  }
  const reader = createInterface({ input: stdin, output: stderr, terminal: false });
  try {
    const answer = await reader.question(`${safeText(question)}? [y/N] `, { signal });
    if (!/^y(es)?$/i.test(answer.trim())) throw new HpsError("cancelled", "not confirmed, nothing was done");
  } finally {
    reader.close();
  }
}
