import {
  type CollectImagesResponse,
  CollectImagesResponseSchema,
  type Delta,
  DeltaSchema,
  type PassedName,
  PassingReasonSchema,
  VerifiedKindSchema,
  VerifiedState,
  VerifiedStateSchema,
  type VerifyImagesResponse,
  VerifyImagesResponseSchema,
} from "../../proto/gen/hps/v1/image_pb.ts";
import { roundSize } from "../../proto/values/size.ts";
import { protoJson, type View } from "./print.ts";
import { type Column, formatTable } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { enumWord } from "./words.ts";

export const COLLECTED_VIEW: View<CollectImagesResponse> = {
  kind: "collection",
  name: ({ retiredPacks }) => String(retiredPacks),
  json: protoJson(CollectImagesResponseSchema),
  columns: [
    { title: "NAMES GONE", text: ({ passedCount }) => String(passedCount) },
    { title: "RETIRED PACKS", text: ({ retiredPacks }) => String(retiredPacks) },
    { title: "RETIRED SIZE", text: ({ retiredBytes }) => roundSize(Number(retiredBytes)) },
    { title: "NEW PACKS", text: ({ madePacks }) => String(madePacks) },
    { title: "NEW SIZE", text: ({ madeBytes }) => roundSize(Number(madeBytes)) },
    { title: "STILL WAITING", text: ({ waitingBytes }) => roundSize(Number(waitingBytes)) },
    {
      title: "DAMAGED",
      text: ({ damagedPacks }) => String(damagedPacks.length),
      colour: ({ damagedPacks }) => (damagedPacks.length > 0 ? "red" : undefined),
    },
  ],
  more: passedText,
};

/** Of a dry run: what would be. */
export const COLLECTING_VIEW: View<CollectImagesResponse> = {
  kind: "collection",
  name: ({ retiredPacks }) => String(retiredPacks),
  json: protoJson(CollectImagesResponseSchema),
  columns: [
    { title: "NAMES TO GO", text: ({ passedCount }) => String(passedCount) },
    { title: "PACKS TO RETIRE", text: ({ retiredPacks }) => String(retiredPacks) },
    { title: "SIZE TO RETIRE", text: ({ retiredBytes }) => roundSize(Number(retiredBytes)) },
  ],
  more: passedText,
};

const PASSED_COLUMNS: readonly Column<PassedName>[] = [
  { title: "NAME", text: ({ name }) => name },
  { title: "WHY", text: ({ reason }) => enumWord(PassingReasonSchema, reason) },
  { title: "IMAGE", text: ({ last }) => (last ? "goes too" : "has other names") },
  { title: "DIGEST", text: ({ digest }) => `sha256:${digest}` },
];

function passedText(terminal: Terminal, { passedNames, passedCount }: CollectImagesResponse): string {
  if (passedNames.length === 0) return "";
  const { text } = formatTable(terminal, PASSED_COLUMNS, passedNames, { wide: true, header: true });
  const more = passedCount > passedNames.length ? `and ${passedCount - passedNames.length} more\n` : "";
  return `\n${text}${more}`;
}

export const VERIFIED_VIEW: View<VerifyImagesResponse> = {
  kind: "verified file",
  name: ({ digest, file }) => digest || file,
  json: protoJson(VerifyImagesResponseSchema),
  columns: [
    { title: "WHAT", text: ({ kind }) => enumWord(VerifiedKindSchema, kind) },
    {
      title: "STATE",
      text: ({ state }) => enumWord(VerifiedStateSchema, state),
      colour: ({ state }) => (state === VerifiedState.ORPHAN ? "yellow" : "red"),
    },
    { title: "SHA-256", text: ({ digest, file }) => digest || file },
    { title: "IMAGES", text: ({ images }) => images.join(", ") },
    { title: "PROBLEM", text: ({ problems }) => problems[0] ?? "" },
    { title: "FURTHER PROBLEMS", wide: true, text: ({ problems }) => problems.slice(1).join("; ") },
  ],
};

export const DELTA_VIEW: View<Delta> = {
  kind: "delta",
  name: ({ digest }) => digest,
  json: protoJson(DeltaSchema),
  columns: [
    { title: "SIZE", text: ({ sizeBytes }) => roundSize(Number(sizeBytes)) },
    { title: "SHA-256", text: ({ digest }) => digest },
    { title: "FROM", text: ({ base }) => `sha256:${base}` },
    { title: "TO", text: ({ target }) => `sha256:${target}` },
  ],
};
