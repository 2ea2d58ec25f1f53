import type { AgentEvent } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { StepRow } from "../../store/steps.ts";
import { MAX_STEPS } from "./limits.ts";

/**
 * The steps after one parsed event; rows that did not change are the same objects. `invalid` for a step that is not
 * planned, or that cannot do this in its state.
 */
export function stepsAfter(steps: readonly StepRow[], event: AgentEvent["event"], now: number): readonly StepRow[] {
  switch (event.case) {
    case "plan":
      return planned(steps, event.value.steps);
    case "stepStarted":
      return changed(steps, event.value.step, (step) => started(step, now));
    case "stepProgress": {
      const { done, total, unit } = event.value;
      const progress = { done: Number(done), total: Number(total), unit };
      return changed(steps, event.value.step, (step) => ({ ...running(step, "progress"), ...progress }));
    }
    case "stepSucceeded":
      return changed(steps, event.value.step, (step) => ended(step, "succeeded", { now, reason: "" }));
    case "stepFailed": {
      const { reason } = event.value;
      return changed(steps, event.value.step, (step) => ended(step, "failed", { now, reason }));
    }
    case "finished":
      return finished(steps);
    default:
      throw new HpsError("invalid", "an installer does not report this");
  }
}

/** A plan is of one run: what an earlier run did stays, also where this one does not plan it again. */
function planned(steps: readonly StepRow[], names: readonly string[]): readonly StepRow[] {
  const kept = steps.filter(({ name, state }) => state === "succeeded" && !names.includes(name));
  const byName = new Map(steps.map((step) => [step.name, step]));
  const all = [...kept, ...names.map((name) => byName.get(name) ?? pending(name))];
  if (all.length <= MAX_STEPS) return all;
  throw new HpsError("invalid", `the plan and the steps done before it are ${all.length}, more than ${MAX_STEPS}`);
}

function pending(name: string): StepRow {
  return {
    ...{ name, state: "pending" as const, attempt: 0, done: 0, total: 0, unit: "", reason: "" },
    ...{ startedAt: null, endedAt: null },
  };
}

function changed(steps: readonly StepRow[], name: string, change: (step: StepRow) => StepRow): readonly StepRow[] {
  if (!steps.some((step) => step.name === name)) throw new HpsError("invalid", `step ${name} is not in the plan`);
  return steps.map((step) => (step.name === name ? change(step) : step));
}

/** Any step may start again: a machine that restarted has to find its network anew. */
function started(step: StepRow, now: number): StepRow {
  return { ...pending(step.name), state: "running", attempt: step.attempt + 1, startedAt: now };
}

function running(step: StepRow, what: string): StepRow {
  if (step.state === "running") return step;
  throw new HpsError("invalid", `step ${step.name} reports ${what} but is ${step.state}`);
}

function ended(
  step: StepRow,
  state: "succeeded" | "failed",
  { now, reason }: { readonly now: number; readonly reason: string },
): StepRow {
  return { ...running(step, state), state, reason, endedAt: now };
}

function finished(steps: readonly StepRow[]): readonly StepRow[] {
  const open = steps.find(({ state }) => state !== "succeeded");
  if (open !== undefined)
    throw new HpsError("invalid", `the agent reports the end, but step ${open.name} is ${open.state}`);
  if (steps.length === 0) throw new HpsError("invalid", "the agent reports the end of a plan it never sent");
  return steps;
}
