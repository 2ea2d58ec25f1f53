import {
  type Installation,
  InstallationSchema,
  InstallationState,
  InstallationStateSchema,
  Outcome,
  OutcomeSchema,
  type PendingEnrolment,
  type Step,
  StepState,
  StepStateSchema,
} from "../../proto/gen/hps/v1/installation_pb.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { protoJson, type View } from "./print.ts";
import { progressText } from "./rate.ts";
import { type Column, formatTable } from "./table.ts";
import type { Colour, Terminal } from "./terminal.ts";
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
    { title: "MAY WIPE", wide: true, text: ({ wipeDiskSerials }) => wipeDiskSerials.join(",") },
  ],
  more: (terminal, { pendingEnrolment, steps }) => pendingText(pendingEnrolment) + stepsText(terminal, steps),
};

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

function pendingText(pending: PendingEnrolment | undefined): string {
  if (pending === undefined) return "";
  const { fingerprint, address, requestTime } = pending;
  const who = safeText(`${address === "" ? "an unknown address" : address} since ${timeText(requestTime) || "now"}`);
  return [
    `\nAn agent at ${who} waits for approval. Compare with the machine's own console:`,
    `  ${safeText(fingerprint)}`,
    "Only if it shows the same: hpsctl host approve HOST --fingerprint …\n",
  ].join("\n");
}
