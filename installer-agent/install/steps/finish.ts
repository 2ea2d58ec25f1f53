import { join } from "node:path";
import { STATE, STATE_PLACE } from "../../plan/agent-unit.ts";
import { TargetRoot } from "../../system/target-root.ts";
import { runTool } from "../../system/tool.ts";
import { commitSlot, espOf } from "../boot-loader.ts";
import { checkInstalled } from "../check-installed.ts";
import { keepRecord } from "../keep-record.ts";
import type { Step } from "../step.ts";

const SYNC_MS = 10 * 60_000;

/**
 * Looks once more at what a start needs, waits until all of it is on disk, and then makes the slot count by one sector's
 * write: before it this disk starts nothing, after it the whole system.
 */
export const finish: Step = {
  name: "finish",
  installs: true,
  run: async (context) => {
    const { job, signal, log } = context;
    const { root } = await job.target.open(context);
    const { hostId } = await job.configuration(signal);
    await checkInstalled(root, hostId);
    await keepRecord(root, context);
    await new TargetRoot(join(root, STATE_PLACE)).write(STATE.slot, "a\n");
    await runTool(["sync"], { signal, log, limitMs: SYNC_MS });
    await commitSlot(espOf(root));
    log("the disk starts slot a from now on");
    await job.target.close(context);
  },
};
