import { join } from "node:path";
import { STATE, STATE_PLACE } from "../plan/agent-unit.ts";
import { TargetRoot } from "../system/target-root.ts";
import { runTool } from "../system/tool.ts";
import type { StepContext } from "./step.ts";

const KERNEL_BYTES = 1024 ** 2;
const KERNEL_MS = 30_000;

/** Writes what the installation said so far onto the state partition of the target at `root`; the same files each time. */
export async function keepRecord(root: string, { job, signal, log }: StepContext): Promise<void> {
  const state = new TargetRoot(join(root, STATE_PLACE));
  await state.folder(STATE.journal, 0o700);
  await state.write(`${STATE.journal}/installation.log`, job.record.log, 0o600);
  await state.write(`${STATE.journal}/journal.jsonl`, job.record.journal, 0o600);
  const kernel = await runTool(["dmesg"], { signal, log, limitMs: KERNEL_MS, quiet: true });
  await state.write(`${STATE.journal}/kernel.log`, kernel.slice(-KERNEL_BYTES), 0o600);
}
