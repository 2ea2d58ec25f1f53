import {
  type Installation,
  InstallationState,
  Outcome,
  type Step,
  StepState,
} from "../../proto/gen/hps/v1/installation_pb.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { hostName } from "./host-view.ts";
import { installationStatus } from "./installation-view.ts";
import { progressText, type Rate } from "./rate.ts";
import { joined, runningText } from "./running-text.ts";
import type { Colour } from "./terminal.ts";
import { fitText, textWidth } from "./text-width.ts";
import { whatNext } from "./what-next.ts";

/** One line of a screen, safe for it. */
export interface ScreenLine {
  readonly text: string;
  readonly colour?: Colour | undefined;
  /** Rows it takes: more than one where it must not be cut. */
  readonly rows: number;
}

/** The rate of an installation's step, by its name. */
export type RateOf = (installation: Installation, step: string) => Rate | undefined;

const MARKS: Readonly<Record<number, readonly [string, Colour | undefined]>> = {
  [StepState.PENDING]: [" ", "dim"],
  [StepState.RUNNING]: [">", undefined],
  [StepState.SUCCEEDED]: ["+", "green"],
  [StepState.FAILED]: ["!", "red"],
};

const CUT_OFF = ["-", "yellow"] as const;

const LONGEST_NAME = 24;

/** One installation with all its steps. */
export function detailLines(installation: Installation, rateOf: RateOf, width: number): readonly ScreenLine[] {
  const { cluster, host, steps, reason } = installation;
  const why = reason === "" ? "" : `: ${reason}`;
  const title = `${hostName({ cluster, name: host })}  ${installationStatus(installation)}${why}`;
  const longest = Math.min(LONGEST_NAME, Math.max(0, ...steps.map(({ name }) => safeText(name).length)));
  const next = whatNext(installation).map((text) => wholeLine(`  ${text}`, width, "yellow"));
  return [
    line(title, width),
    ...next,
    ...steps.map((step) => {
      const rate = isUnderWay(installation, step) ? { rate: rateOf(installation, step.name) } : undefined;
      return stepLine(step, longest, rate, width);
    }),
  ];
}

/** One that was cut off stays as it was, and has neither rate nor time left. */
function isUnderWay({ state }: Installation, step: Step): boolean {
  return step.state === StepState.RUNNING && state === InstallationState.INSTALLING;
}

interface UnderWay {
  readonly rate: Rate | undefined;
}

function stepLine(step: Step, longest: number, underWay: UnderWay | undefined, width: number): ScreenLine {
  const isCutOff = step.state === StepState.RUNNING && underWay === undefined;
  const [mark, colour] = isCutOff ? CUT_OFF : (MARKS[step.state] ?? ["?", undefined]);
  const name = `${mark} ${fitText(safeText(step.name), longest).padEnd(longest)}`;
  const progress = underWay === undefined ? progressText(step) : runningBehind(name, step, underWay.rate, width);
  return line(joined([name, progress, step.reason]), width, colour);
}

function runningBehind(before: string, step: Step, rate: Rate | undefined, width: number): string {
  return runningText(step, rate, width - textWidth(joined([before, "|"])) + 1);
}

/** Several installations, one line each, and one more for each that waits for an operator; at most `rows`. */
export function overviewLines(
  installations: readonly Installation[],
  rateOf: RateOf,
  { width, rows }: { readonly width: number; readonly rows: number },
): readonly ScreenLine[] {
  const ended = installations.filter(({ state }) => state === InstallationState.ENDED).length;
  const head = line(`${ended} of ${installations.length} ended`, width);
  const names = installations.map(({ cluster, host }) => safeText(hostName({ cluster, name: host })).length);
  const longest = Math.min(LONGEST_NAME, Math.max(0, ...names));
  const blocks = installations.map((installation) => overviewBlock(installation, { rateOf, longest, width }));
  // What ended, then what is further below, gives way to what goes on.
  const order = blocks.map((block, index) => ({
    block,
    index,
    over: installations[index]?.state === InstallationState.ENDED,
  }));
  const shown = new Set<number>();
  let used = 2;
  for (const { block, index } of [...order].sort((a, b) => Number(a.over) - Number(b.over) || a.index - b.index)) {
    if (used + rowsOf(block) > rows) break;
    used += rowsOf(block);
    shown.add(index);
  }
  const hidden = blocks.length - shown.size;
  const more = hidden === 0 ? [] : [line(`… and ${hidden} more`, width, "dim")];
  return [head, ...blocks.filter((_, index) => shown.has(index)).flat(), ...more];
}

interface Overview {
  readonly rateOf: RateOf;
  readonly longest: number;
  readonly width: number;
}

function overviewBlock(installation: Installation, { rateOf, longest, width }: Overview): readonly ScreenLine[] {
  const { cluster, host, steps, state, outcome, reason } = installation;
  const name = fitText(safeText(hostName({ cluster, name: host })), longest).padEnd(longest);
  const step = steps.find((candidate) => isUnderWay(installation, candidate));
  const done = steps.filter((candidate) => candidate.state === StepState.SUCCEEDED).length;
  const count = steps.length === 0 ? "" : `${done}/${steps.length}`;
  const words = [name, installationStatus(installation).padEnd(12), count, step?.name ?? reason];
  const before = safeText(joined(words));
  const progress = step && runningBehind(before, step, rateOf(installation, step.name), width);
  const colour = state === InstallationState.ENDED ? (outcome === Outcome.SUCCEEDED ? "green" : "red") : COLOURS[state];
  const first = line(joined([before, progress ?? ""]), width, colour);
  const waits = COLOURS[state] !== undefined || state === InstallationState.ARMED;
  return [first, ...(waits ? whatNext(installation).map((text) => wholeLine(`  ${text}`, width, "dim")) : [])];
}

const COLOURS: Readonly<Record<number, Colour>> = {
  [InstallationState.AWAITING_APPROVAL]: "yellow",
  [InstallationState.INTERRUPTED]: "yellow",
  [InstallationState.FAILED]: "red",
  [InstallationState.FROZEN]: "red",
};

function line(text: string, width: number, colour?: Colour): ScreenLine {
  return { text: fitText(safeText(text), width), colour, rows: 1 };
}

/** For what is to be copied: a fingerprint cut short is none. */
function wholeLine(text: string, width: number, colour: Colour): ScreenLine {
  const safe = safeText(text);
  return { text: safe, colour, rows: Math.max(1, Math.ceil(textWidth(safe) / (width + 1))) };
}

export function rowsOf(lines: readonly ScreenLine[]): number {
  return lines.reduce((sum, { rows }) => sum + rows, 0);
}
