import {
  type Installation,
  InstallationState,
  type JournalEntry,
  Outcome,
  StepState,
  type WatchInstallationResponse,
  WatchInstallationResponseSchema,
} from "../../proto/gen/hps/v1/installation_pb.ts";
import { ERROR_TABLE } from "../../proto/values/hps-error.ts";
import { exactJson } from "../output/exact-json.ts";
import { installationStatus, pendingLine } from "../output/installation-view.ts";
import { journalLine } from "../output/journal-line.ts";
import { note, protoJson } from "../output/print.ts";
import { StepsScreen } from "../output/steps-screen.ts";
import { write } from "../output/terminal.ts";
import type { Hps } from "../sdk/connect.ts";
import type { Call } from "./call.ts";
import { untilInterrupted } from "./follow-list.ts";

const PROGRESS_SECONDS = 5n;

const STUCK: readonly number[] = [InstallationState.FAILED, InstallationState.FROZEN, InstallationState.INTERRUPTED];

export interface WatchedInstallation {
  readonly id: string;
  /** End also when it waits for an operator. */
  readonly stopWhenStuck: boolean;
  /** End also, with 0, when the step of this name is done. */
  readonly until?: string;
}

/** Shows an installation as it goes: steps drawn anew on a terminal, else lines. Gives the exit code its end stands for. */
export async function watchInstallation(call: Call, hps: Hps, which: WatchedInstallation): Promise<number> {
  let last: Installation | undefined;
  const follow = async () => {
    using view = viewFor(call);
    for await (const event of hps.watchInstallation(which.id, call.stream)) {
      last = event.installation ?? last;
      await view.show(event);
      if (which.stopWhenStuck && event.installation !== undefined && STUCK.includes(event.installation.state)) break;
      if (isDone(last, which.until)) break;
    }
  };
  await untilInterrupted(call, follow);
  if (call.terminal.signal.aborted) return ERROR_TABLE.cancelled.exit;
  if (isDone(last, which.until)) return 0;
  const end = last ?? (await hps.installations.getInstallation({ installation: which.id }, call.once));
  const why = end.reason === "" ? "" : `: ${end.reason}`;
  await note(call.terminal, `installation ${end.id} of ${end.cluster}/${end.host} ${endWord(end)}${why}`);
  return exitCodeOf(end);
}

function isDone(installation: Installation | undefined, step: string | undefined): boolean {
  return installation?.steps.some(({ name, state }) => name === step && state === StepState.SUCCEEDED) ?? false;
}

function endWord(installation: Installation): string {
  const status = installationStatus(installation);
  return STUCK.includes(installation.state) ? `waits for an operator, ${status}` : status;
}

/** 0 when it succeeded; else the exit code of the error an operator would call it. */
export function exitCodeOf({ outcome, state }: Pick<Installation, "outcome" | "state">): number {
  if (outcome === Outcome.SUCCEEDED) return 0;
  if (outcome === Outcome.EXPIRED) return ERROR_TABLE.deadline.exit;
  if (outcome === Outcome.CANCELLED) return ERROR_TABLE.aborted.exit;
  return STUCK.includes(state) ? ERROR_TABLE.precondition.exit : ERROR_TABLE.unavailable.exit;
}

interface WatchView extends Disposable {
  readonly show: (event: WatchInstallationResponse) => Promise<void>;
}

function viewFor(call: Call): WatchView {
  const { terminal, format } = call;
  const { stdout } = terminal;
  if (format === "json" || format === "yaml") {
    const json = protoJson(WatchInstallationResponseSchema);
    return lines((event) => write(stdout, `${exactJson(json(event), 0)}\n`));
  }
  if (stdout.isTTY === true && terminal.environment.TERM !== "dumb") return new StepsScreen(terminal);
  const sparse = sparseProgress();
  const waiting = pendingOnce();
  return lines(async ({ entry, installation }) => {
    const line = entry === undefined || !sparse(entry) ? undefined : journalLine(entry);
    if (line !== undefined) await write(stdout, `${line}\n`);
    const pending = waiting(installation);
    if (pending !== undefined) await note(terminal, pending);
  });
}

/** Lets through one report of progress a step in so many seconds, and all else. */
function sparseProgress(): (entry: JournalEntry) => boolean {
  const shown = new Map<string, bigint>();
  return ({ time, entry }) => {
    const event = entry.case === "event" ? entry.value.event : undefined;
    if (event?.case !== "stepProgress") return true;
    const { step } = event.value;
    const now = time?.seconds ?? 0n;
    if (now - (shown.get(step) ?? -PROGRESS_SECONDS) < PROGRESS_SECONDS) return false;
    shown.set(step, now);
    return true;
  };
}

/** Each agent that waits for approval, when it is first heard of. */
function pendingOnce(): (installation: Installation | undefined) => string | undefined {
  let told = "";
  return (installation) => {
    const pending = installation?.pendingEnrolment;
    if (pending === undefined || pending.fingerprint === told) return undefined;
    told = pending.fingerprint;
    return pendingLine(pending);
  };
}

function lines(show: WatchView["show"]): WatchView {
  return { show, [Symbol.dispose]: () => undefined };
}
