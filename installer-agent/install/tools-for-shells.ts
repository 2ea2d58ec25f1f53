import { describeError, type Log } from "../log.ts";
import type { Job } from "./step.ts";
import { configuration } from "./steps/configuration.ts";
import { offerTools } from "./tools.ts";

/**
 * Brings the tools where the step that does so was done before the machine was restarted, and nothing may go on: a shell
 * is then what shows why. To be called with the steps that are done whenever hpsd says them.
 */
export function toolsForShells(job: Job, log: Log, signal: AbortSignal): (doneSteps: readonly string[]) => void {
  let isBrought = false;
  return (doneSteps) => {
    if (isBrought || !doneSteps.includes(configuration.name)) return;
    isBrought = true;
    offerTools({ job, signal, log: log.info }).catch((error: unknown) => {
      isBrought = false; // the next welcome tries again
      if (!signal.aborted) log.warn(`shells have busybox alone: ${describeError(error)}`);
    });
  };
}
