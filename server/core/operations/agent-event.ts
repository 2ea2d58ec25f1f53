/** What an agent says, made safe to keep: known fields only, each within bounds. Everything wrong is `invalid`. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import {
  type AgentEvent,
  AgentEventSchema,
  type AgentLogLine,
  type BootReport,
  BootReportSchema,
  FinishedSchema,
  PlanSchema,
  RebootPausedSchema,
  StepFailedSchema,
  StepProgressSchema,
  StepStartedSchema,
  StepSucceededSchema,
} from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { quote } from "../../../proto/values/safe-text.ts";
import { MAX_LINE_BYTES, MAX_REASON_BYTES, MAX_STEPS } from "./limits.ts";

const NAME = /^[a-z][a-z0-9-]{0,62}$/;
const MAX_UNIT_BYTES = 32;
const MAX_KERNEL_BYTES = 256;
const MAX_IMAGE_BYTES = 257;
const MAX_COUNT = BigInt(Number.MAX_SAFE_INTEGER);
/** Year 9999, as the Timestamp message has it. */
const LAST_SECOND = 253_402_300_799n;
const FIRST_SECOND = -62_135_596_800n;

/** A line as it is kept. */
export interface ParsedLine {
  readonly source: string;
  readonly text: Uint8Array;
}

export function parseSequence(sequence: bigint): number {
  if (sequence >= 1n && sequence <= MAX_COUNT) return Number(sequence);
  throw new HpsError("invalid", `not a sequence number: ${sequence}`);
}

/** The event again, with nothing in it that was not looked at. */
export function parseAgentEvent({ sequence, time, event }: AgentEvent): AgentEvent {
  parseSequence(sequence);
  return create(AgentEventSchema, {
    sequence,
    ...(time && { time: parseTimestamp(time) }),
    event: parseContent(event),
  });
}

export function parseLogLine({ source, text }: AgentLogLine): ParsedLine {
  if (text.length > MAX_LINE_BYTES) {
    throw new HpsError("invalid", `a log line of ${text.length} bytes is longer than ${MAX_LINE_BYTES}`);
  }
  return { source: parseName(source, "a log source"), text };
}

export function parseBootReport({ slot, kernel, image, healthy, reason }: BootReport): BootReport {
  if (!["", "a", "b"].includes(slot)) throw new HpsError("invalid", `not a slot: ${quote(slot)}`);
  return create(BootReportSchema, {
    slot,
    kernel: bounded(kernel, MAX_KERNEL_BYTES, "a kernel version"),
    image: bounded(image, MAX_IMAGE_BYTES, "an image name"),
    healthy,
    reason: bounded(reason, MAX_REASON_BYTES, "a reason"),
  });
}

type Content = AgentEvent["event"];

function parseContent(event: Content): Content {
  switch (event.case) {
    case "plan":
      return { case: event.case, value: create(PlanSchema, { steps: parsePlan(event.value.steps) }) };
    case "stepStarted":
      return { case: event.case, value: create(StepStartedSchema, { step: parseStep(event.value.step) }) };
    case "stepProgress": {
      const { done, total, unit, step } = event.value;
      const counts = { done: parseCount(done), total: parseCount(total) };
      const value = { step: parseStep(step), ...counts, unit: bounded(unit, MAX_UNIT_BYTES, "a unit") };
      return { case: event.case, value: create(StepProgressSchema, value) };
    }
    case "stepSucceeded":
      return { case: event.case, value: create(StepSucceededSchema, { step: parseStep(event.value.step) }) };
    case "stepFailed": {
      const reason = bounded(event.value.reason, MAX_REASON_BYTES, "a reason");
      return { case: event.case, value: create(StepFailedSchema, { step: parseStep(event.value.step), reason }) };
    }
    case "finished":
      return { case: event.case, value: create(FinishedSchema) };
    case "boot":
      return { case: event.case, value: parseBootReport(event.value) };
    case "rebootPaused":
      return { case: event.case, value: create(RebootPausedSchema, { paused: event.value.paused }) };
    default:
      throw new HpsError("invalid", "an event is of no known kind", { hint: "compare the versions of agent and hpsd" });
  }
}

function parsePlan(steps: readonly string[]): string[] {
  if (steps.length === 0 || steps.length > MAX_STEPS) {
    throw new HpsError("invalid", `a plan has 1 to ${MAX_STEPS} steps, not ${steps.length}`);
  }
  const names = steps.map(parseStep);
  if (new Set(names).size < names.length) throw new HpsError("invalid", "a plan names a step twice");
  return names;
}

function parseStep(name: string): string {
  return parseName(name, "a step");
}

function parseName(name: string, what: string): string {
  if (NAME.test(name)) return name;
  throw new HpsError("invalid", `not ${what}'s name: ${quote(name)}`, {
    hint: "use 1 to 63 of a-z, 0-9 and hyphens, a letter first",
  });
}

function parseCount(count: bigint): bigint {
  if (count >= 0n && count <= MAX_COUNT) return count;
  throw new HpsError("invalid", `not a count of progress: ${count}`);
}

function bounded(text: string, max: number, what: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= max) return text;
  throw new HpsError("invalid", `${what} of ${bytes} bytes is longer than ${max}`);
}

function parseTimestamp({ seconds, nanos }: Timestamp) {
  if (seconds >= FIRST_SECOND && seconds <= LAST_SECOND && nanos >= 0 && nanos < 1_000_000_000) {
    return { seconds, nanos };
  }
  throw new HpsError("invalid", "an event's time is not in the years 1 to 9999");
}
