import { type ImageKeys, ImageKeysSchema } from "../../proto/gen/hps/v1/image_pb.ts";
import { type KeySet, parseKeySet } from "../../proto/image/key-set.ts";
import { keyIdOf } from "../../proto/image/signing-key.ts";
import { protoJson, type View } from "./print.ts";
import { type Column, formatTable } from "./table.ts";
import { timeText } from "./words.ts";

type Key = KeySet["keys"][number];

const KEY_COLUMNS: readonly Column<Key>[] = [
  { title: "KEY", text: ({ label }) => label },
  { title: "ID", text: ({ key }) => keyIdOf(key).toString("hex") },
];

export const IMAGE_KEYS_VIEW: View<ImageKeys> = {
  kind: "key set",
  name: ({ cluster }) => cluster,
  json: protoJson(ImageKeysSchema),
  columns: [
    { title: "CLUSTER", text: ({ cluster }) => cluster },
    { title: "SET", text: (keys) => String(setOf(keys)?.serial ?? "") },
    { title: "SIGNED BY", text: ({ keySet }) => keySet?.signatures[0]?.keyId ?? "" },
    { title: "SET BY", text: ({ setBy }) => setBy },
    { title: "SET AT", text: ({ setTime }) => timeText(setTime) },
  ],
  more: (terminal, keys) =>
    `\n${formatTable(terminal, KEY_COLUMNS, setOf(keys)?.keys ?? [], { wide: true, header: true }).text}`,
};

function setOf({ keySet }: ImageKeys): KeySet | undefined {
  return keySet && parseKeySet(keySet.keys);
}
