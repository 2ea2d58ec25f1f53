import {
  type Installation,
  InstallationSchema,
  InstallationState,
  InstallationStateSchema,
  Outcome,
  OutcomeSchema,
  type Step,
  StepState,
  StepStateSchema,
} from "../../proto/gen/hps/v1/installation_pb.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { formatSize } from "../../proto/values/size.ts";
import { protoJson, type View } from "./print.ts";
import { progressText } from "./rate.ts";
import { type Column, formatTable } from "./table.ts";
import type { Colour, Terminal } from "./terminal.ts";
import { whatNext } from "./what-next.ts";
import { enumWord, timeText } from "./words.ts";

const COLOURS: Readonly<Record<number, Colour>> = {
  [InstallationState.AWAITING_APPROVAL]: "yellow",
  [InstallationState.INTERRUPTED]: "yellow",
  [InstallationState.FAILED]: "red",
  [InstallationState.FROZEN]: "red",
};

/** `installing`, or how it ended. */
export function installationStatus({ state, outcome }: Pick<Installation, "state" | "outcome">): string {
  const ended = state === InstallationState.ENDED;
  return ended ? enumWord(OutcomeSchema, outcome) || "ended" : enumWord(InstallationStateSchema, state);
}

function statusColour({ state, outcome }: Installation): Colour | undefined {
  return outcome === Outcome.SUCCEEDED ? "green" : COLOURS[state];
}

export const INSTALLATION_VIEW: View<Installation> = {
  kind: "installation",
  name: ({ id }) => id,
  json: protoJson(InstallationSchema),
  columns: [
    { title: "ID", text: ({ id }) => id },
    { title: "CLUSTER", text: ({ cluster }) => cluster },
    { title: "HOST", text: ({ host }) => host },
    { title: "STATUS", text: installationStatus, colour: statusColour },
    { title: "STARTED", text: ({ createTime }) => timeText(createTime) },
    { title: "IMAGE", text: ({ image }) => image },
    { title: "REASON", wide: true, text: ({ reason }) => reason },
    { title: "ARMED BY", wide: true, text: ({ armedBy }) => armedBy },
    { title: "WINDOW ENDS", wide: true, text: ({ windowEndTime }) => timeText(windowEndTime) },
    { title: "ENDED", wide: true, text: ({ endTime }) => timeText(endTime) },
    { title: "ATTACHED", wide: true, text: ({ attached }) => (attached ? "yes" : "no") },
    { title: "DISK", wide: true, text: ({ storage }) => storage?.disk ?? "" },
    { title: "ROOT SIZE", wide: true, text: rootSizeText },
    { title: "MAY WIPE", wide: true, text: mayWipeText },
    { title: "RESCUE", wide: true, text: ({ rescue }) => (rescue ? "yes" : "no") },
    { title: "RESTART", wide: true, text: ({ rebootPaused }) => (rebootPaused ? "held" : "by itself") },
  ],
  more: (terminal, installation) => nextText(installation) + stepsText(terminal, installation.steps),
};

function rootSizeText({ storage }: Installation): string {
  const bytes = storage?.rootSizeBytes ?? 0n;
  return bytes === 0n ? "" : formatSize(Number(bytes));
}

function mayWipeText({ storage, wipeDiskSerials }: Installation): string {
  return [...(storage?.wipe ? ["the chosen disk"] : []), ...wipeDiskSerials].join(",");
}

const STEP_COLOURS: Readonly<Record<number, Colour>> = {
  [StepState.SUCCEEDED]: "green",
  [StepState.FAILED]: "red",
};

const STEP_COLUMNS: readonly Column<Step>[] = [
  { title: "STEP", text: ({ name }) => name },
  {
    title: "STATE",
    text: ({ state }) => enumWord(StepStateSchema, state),
    colour: ({ state }) => STEP_COLOURS[state],
  },
  { title: "ATTEMPT", text: ({ attempt }) => (attempt === 0 ? "" : String(attempt)) },
  { title: "PROGRESS", text: progressText },
  { title: "REASON", text: ({ reason }) => reason },
];

function stepsText(terminal: Terminal, steps: readonly Step[]): string {
  if (steps.length === 0) return "";
  return `\n${formatTable(terminal, STEP_COLUMNS, steps, { wide: true, header: true }).text}`;
}

/** What it waits for, below its fields. */
function nextText(installation: Installation): string {
  const lines = whatNext(installation).map((line) => `  ${safeText(line)}\n`);
  return lines.length === 0 ? "" : `\n${lines.join("")}`;
}
