import { HpsError } from "../../../proto/values/hps-error.ts";
import { clockSentence } from "../clock-check.ts";
import type { Step } from "../step.ts";

/** The work is done before enrolment, which needs the right time; here hpsd is told of it. */
export const clock: Step = {
  name: "clock",
  run: async ({ job, log }) => {
    if (job.clock.action === "failed") throw new HpsError("unavailable", clockSentence(job.clock));
    log(clockSentence(job.clock));
  },
};
