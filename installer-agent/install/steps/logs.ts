import { STATE, STATE_PLACE } from "../../plan/agent-unit.ts";
import { keepRecord } from "../keep-record.ts";
import type { Step } from "../step.ts";

/** Leaves the installed system what its installation said, for when hpsd is not at hand. */
export const logs: Step = {
  name: "logs",
  installs: true,
  run: async (context) => {
    const { root } = await context.job.target.open(context);
    await keepRecord(root, context);
    context.log(`the log of this installation is in ${STATE_PLACE}/${STATE.journal}`);
  },
};
