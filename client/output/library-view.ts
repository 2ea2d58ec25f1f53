import { type CollectImagesResponse, CollectImagesResponseSchema } from "../../proto/gen/hps/v1/image_pb.ts";
import { roundSize } from "../../proto/values/size.ts";
import { protoJson, type View } from "./print.ts";

export const COLLECTED_VIEW: View<CollectImagesResponse> = {
  kind: "collection",
  name: ({ retiredPacks }) => String(retiredPacks),
  json: protoJson(CollectImagesResponseSchema),
  columns: [
    { title: "RETIRED PACKS", text: ({ retiredPacks }) => String(retiredPacks) },
    { title: "THEIR SIZE", text: ({ retiredBytes }) => roundSize(Number(retiredBytes)) },
    { title: "NEW PACKS", text: ({ madePacks }) => String(madePacks) },
    { title: "THEIR SIZE", text: ({ madeBytes }) => roundSize(Number(madeBytes)) },
    { title: "STILL WAITING", text: ({ waitingBytes }) => roundSize(Number(waitingBytes)) },
    {
      title: "DAMAGED",
      text: ({ damagedPacks }) => String(damagedPacks.length),
      colour: ({ damagedPacks }) => (damagedPacks.length > 0 ? "red" : undefined),
    },
  ],
};
