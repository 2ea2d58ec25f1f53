import {
  type CollectImagesResponse,
  CollectImagesResponseSchema,
  type Delta,
  DeltaSchema,
  VerifiedKindSchema,
  VerifiedStateSchema,
  type VerifyImagesResponse,
  VerifyImagesResponseSchema,
} from "../../proto/gen/hps/v1/image_pb.ts";
import { roundSize } from "../../proto/values/size.ts";
import { protoJson, type View } from "./print.ts";
import { enumWord } from "./words.ts";

export const COLLECTED_VIEW: View<CollectImagesResponse> = {
  kind: "collection",
  name: ({ retiredPacks }) => String(retiredPacks),
  json: protoJson(CollectImagesResponseSchema),
  columns: [
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
};

export const VERIFIED_VIEW: View<VerifyImagesResponse> = {
  kind: "verified file",
  name: ({ digest }) => digest,
  json: protoJson(VerifyImagesResponseSchema),
  columns: [
    { title: "WHAT", text: ({ kind }) => enumWord(VerifiedKindSchema, kind) },
    { title: "STATE", text: ({ state }) => enumWord(VerifiedStateSchema, state), colour: () => "red" },
    { title: "SHA-256", text: ({ digest }) => digest },
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
