import { parseDuration } from "../../proto/values/duration.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { CopyCall } from "../copy/copy-call.ts";
import { fetchCopies } from "../copy/fetch.ts";
import { copyOrder } from "../copy/operand.ts";
import { sendCopy } from "../copy/send.ts";
import { note } from "../output/print.ts";
import type { Call } from "./call.ts";
import { interruptible } from "./interruptible.ts";

export interface CpOptions {
  readonly recursive?: true;
  readonly preserve?: true;
  readonly reason?: string;
  readonly wait?: string;
}

/** `hpsctl cp`: files and folders to a host, or from hosts to here. */
export async function copyFiles(call: Call): Promise<number> {
  const { recursive = false, preserve = false, reason = "", wait } = call.options<CpOptions>();
  const waitMs = wait === undefined ? 0 : parseDuration(wait);
  const hps = await call.connect();
  const order = copyOrder(call.operands, hps.cluster);
  const problems: string[] = [];
  const onProblem = (sentence: string) => problems.push(sentence);
  const copy: CopyCall = { call, hps, reason, waitMs, recursive, exact: preserve, onProblem };
  await interruptible(call, "what was copied until then stays, a file that was on its way does not", async () => {
    await (order.to === "host" ? sendCopy(copy, order) : fetchCopies(copy, order));
  });
  if (problems.length === 0) return 0;
  for (const problem of problems) await note(call.terminal, `hpsctl: ${problem}`);
  throw new HpsError("aborted", "not everything was copied: see above");
}
