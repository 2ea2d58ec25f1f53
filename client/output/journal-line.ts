import type { AgentEvent } from "../../proto/gen/hps/v1/agent_pb.ts";
import { InstallationStateSchema, type JournalEntry } from "../../proto/gen/hps/v1/installation_pb.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { progressText } from "./rate.ts";
import { enumWord, timeText } from "./words.ts";

/** One entry of a journal as one line, safe for a terminal. */
export function journalLine({ time, entry }: JournalEntry): string | undefined {
  const text = entryText(entry);
  return text === undefined ? undefined : `${timeText(time)} ${safeText(text)}`;
}

function entryText(entry: JournalEntry["entry"]): string | undefined {
  if (entry.case === "event") return eventText(entry.value.event);
  if (entry.case !== "change") return undefined;
  const { from, to, event, actor, reason } = entry.value;
  const [before, after] = [from, to].map((state) => enumWord(InstallationStateSchema, state) || "new");
  return `${before} -> ${after} (${event}${actor === "" ? "" : ` by ${actor}`})${reason === "" ? "" : `: ${reason}`}`;
}

function eventText(event: AgentEvent["event"]): string | undefined {
  switch (event.case) {
    case "plan":
      return `plan: ${event.value.steps.join(", ")}`;
    case "stepStarted":
      return `${event.value.step}: started`;
    case "stepProgress":
      return `${event.value.step}: ${progressText(event.value)}`;
    case "stepSucceeded":
      return `${event.value.step}: done`;
    case "stepFailed":
      return `${event.value.step}: failed: ${event.value.reason}`;
    case "finished":
      return "all steps done, the machine restarts";
    case "boot":
      return bootText(event.value);
    default:
      return undefined;
  }
}

function bootText({ slot, image, healthy, reason }: { slot: string; image: string; healthy: boolean; reason: string }) {
  const what = [slot === "" ? "" : `slot ${slot}`, image].filter((part) => part !== "").join(", ");
  return `booted${what === "" ? "" : ` ${what}`}: ${healthy ? "healthy" : `not healthy: ${reason}`}`;
}
