import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Installation, InstallationState, Outcome, StepState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { ERROR_TABLE, HpsError } from "../../proto/values/hps-error.ts";
import { installationStatus } from "../output/installation-view.ts";
import { logText } from "../output/log-text.ts";
import { note } from "../output/print.ts";
import { printError } from "../output/print-error.ts";
import { spanText } from "../output/rate.ts";
import type { Hps } from "../sdk/connect.ts";
import type { Call } from "./call.ts";
import { untilInterrupted } from "./follow-list.ts";
import { type Watched, type WatchView, watchView } from "./watch-view.ts";

const STUCK: readonly number[] = [InstallationState.FAILED, InstallationState.FROZEN, InstallationState.INTERRUPTED];

/** Lines of the log shown when an installation fails under a watcher's eyes. */
const LOG_TAIL = 10;

export interface WatchWish {
  readonly all: readonly Watched[];
  /** End also when it waits for an operator. */
  readonly stopWhenStuck: boolean;
  /** End also, with 0, when the step of this name is done. */
  readonly until?: string;
}

/**
 * Shows installations as they go: drawn anew on a terminal, else lines. Gives the exit code their end stands for, of several the
 * highest. An interrupt leaves them running, and says how to come back.
 */
export async function watchInstallations(call: Call, hps: Hps, wish: WatchWish): Promise<number> {
  const ends: PromiseSettledResult<Installation | undefined>[] = [];
  {
    using view = watchView(call, wish.all);
    ends.push(...(await Promise.allSettled(wish.all.map((watched) => follow(call, hps, { watched, wish, view })))));
  }
  if (call.terminal.signal.aborted) {
    await sayHowToReturn(call);
    return ERROR_TABLE.cancelled.exit;
  }
  const codes: number[] = [];
  for (const [index, end] of ends.entries()) {
    const watched = wish.all[index] ?? { id: "" };
    codes.push(await outcomeOf(call, hps, { watched, wish, end }));
  }
  return Math.max(0, ...codes);
}

interface Followed {
  readonly watched: Watched;
  readonly wish: WatchWish;
  readonly view: WatchView;
}

/** Gives the installation as it was last. */
async function follow(call: Call, hps: Hps, { watched, wish, view }: Followed): Promise<Installation | undefined> {
  let last: Installation | undefined;
  await untilInterrupted(call, async () => {
    for await (const event of hps.watchInstallation(watched.id, call.stream)) {
      last = event.installation ?? last;
      await view.show(watched, event);
      if (wish.stopWhenStuck && event.installation !== undefined && STUCK.includes(event.installation.state)) break;
      if (isDone(last, wish.until)) break;
    }
  });
  return last;
}

interface Ended {
  readonly watched: Watched;
  readonly wish: WatchWish;
  readonly end: PromiseSettledResult<Installation | undefined>;
}

async function outcomeOf(call: Call, hps: Hps, { watched, wish, end }: Ended): Promise<number> {
  if (end.status === "rejected") {
    if (wish.all.length === 1 || !(end.reason instanceof HpsError)) throw end.reason;
    await printError(call.terminal, end.reason, { about: watched.host ?? watched.id, hinted: false });
    return ERROR_TABLE[end.reason.code].exit;
  }
  if (isDone(end.value, wish.until)) return 0;
  const last = end.value ?? (await hps.installations.getInstallation({ installation: watched.id }, call.once));
  await sayEnd(call, last);
  if (last.state === InstallationState.FAILED) await printLogTail(call, hps, last.id);
  return exitCodeOf(last);
}

function isDone(installation: Installation | undefined, step: string | undefined): boolean {
  return installation?.steps.some(({ name, state }) => name === step && state === StepState.SUCCEEDED) ?? false;
}

async function sayEnd(call: Call, last: Installation): Promise<void> {
  const why = last.reason === "" ? "" : `: ${last.reason}`;
  const took = last.outcome === Outcome.SUCCEEDED ? tookText(last) : "";
  await note(call.terminal, `installation ${last.id} of ${last.cluster}/${last.host} ${endWord(last)}${took}${why}`);
}

function endWord(installation: Installation): string {
  const status = installationStatus(installation);
  return STUCK.includes(installation.state) ? `waits for an operator, ${status}` : status;
}

/** From the first step's start, which is when the machine was there. */
function tookText({ steps, endTime }: Installation): string {
  const begin = steps[0]?.startTime;
  if (begin === undefined || endTime === undefined) return "";
  return ` in ${spanText((timestampMs(endTime) - timestampMs(begin)) / 1000)}`;
}

async function printLogTail(call: Call, hps: Hps, id: string): Promise<void> {
  const tail: string[] = [];
  try {
    for await (const line of hps.watchInstallationLog(id, call.once)) {
      tail.push(`  | ${logText(line)}`);
      if (tail.length > LOG_TAIL) tail.shift();
    }
  } catch (error) {
    // The end was said already; where the log is, too.
    if (!(error instanceof HpsError)) throw error;
  }
  for (const line of tail) await note(call.terminal, line);
}

/** In the words that named the hosts: a set stays a set. */
async function sayHowToReturn(call: Call): Promise<void> {
  const which = call.operands.map(shellWord).join(" ");
  await note(call.terminal, `left; what was begun goes on. Come back: hpsctl installation watch ${which}`);
  await note(call.terminal, "end one: hpsctl installation cancel HOST");
}

function shellWord(text: string): string {
  return /^[\w@=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** 0 when it succeeded; else the exit code of the error an operator would call it. */
export function exitCodeOf({ outcome, state }: Pick<Installation, "outcome" | "state">): number {
  if (outcome === Outcome.SUCCEEDED) return 0;
  if (outcome === Outcome.EXPIRED) return ERROR_TABLE.deadline.exit;
  if (outcome === Outcome.CANCELLED) return ERROR_TABLE.aborted.exit;
  return STUCK.includes(state) ? ERROR_TABLE.precondition.exit : ERROR_TABLE.unavailable.exit;
}
