import { ImageFormatSchema, type ImageSignature } from "../../proto/gen/hps/v1/agent_pb.ts";
import { type Image, ImageSchema, type Installer, InstallerSchema } from "../../proto/gen/hps/v1/image_pb.ts";
import { signatureBytes } from "../../proto/image/signed-message.ts";
import { parseSignedStatement, type SignedStatement } from "../../proto/image/statement.ts";
import { roundSize } from "../../proto/values/size.ts";
import { protoJson, type View } from "./print.ts";
import { type Column, formatTable } from "./table.ts";
import { enumWord, timeText } from "./words.ts";

const SIGNATURE_COLUMNS: readonly Column<SignedStatement>[] = [
  { title: "SIGNED AS", text: ({ name }) => name },
  { title: "AT", text: ({ time }) => (time > LAST_TIME ? `${time} ms` : new Date(time).toISOString()) },
  { title: "BY KEY", text: ({ keyId }) => keyId.toString("hex") },
];

/** The last time that a date can be written for. */
const LAST_TIME = 8.64e15;

export const IMAGE_VIEW: View<Image> = {
  kind: "image",
  name: ({ name }) => name,
  json: protoJson(ImageSchema),
  columns: [
    { title: "CLUSTER", text: ({ cluster }) => cluster },
    { title: "NAME", text: ({ name }) => name },
    { title: "SYSTEM", text: ({ system }) => system },
    { title: "KERNEL", text: ({ kernel }) => kernel },
    { title: "SIZE", text: ({ source }) => bytesText(source?.contentBytes) },
    {
      title: "LACKS",
      text: ({ source }) => source?.lacks.join(",") ?? "",
      colour: ({ source }) => ((source?.lacks.length ?? 0) > 0 ? "yellow" : undefined),
    },
    { title: "IMPORTED", text: ({ createTime }) => timeText(createTime) },
    { title: "NAMED", wide: true, text: ({ nameTime }) => timeText(nameTime) },
    { title: "EXPIRES", wide: true, text: ({ expireTime }) => timeText(expireTime) },
    { title: "ARCHIVE", wide: true, text: ({ source }) => bytesText(source?.file?.sizeBytes) },
    { title: "ENTRIES", wide: true, text: ({ source }) => String(source?.entries ?? "") },
    { title: "FORMAT", wide: true, text: ({ source }) => enumWord(ImageFormatSchema, source?.format ?? 0) },
    { title: "IMPORTED BY", wide: true, text: ({ importedBy }) => importedBy },
    { title: "SIGNED BY", wide: true, text: signersText },
    { title: "DIGEST", wide: true, text: ({ source }) => digestText(source) },
    { title: "ID", wide: true, text: ({ id }) => id },
  ],
  more: (terminal, { source }) =>
    source === undefined || source.signatures.length === 0
      ? ""
      : `\n${formatTable(terminal, SIGNATURE_COLUMNS, source.signatures.map(statementOf), { wide: true, header: true }).text}`,
};

/** As hpsd has it; whoever relies on it checks it. */
function statementOf({ statement, keyId, signature }: ImageSignature): SignedStatement {
  return parseSignedStatement(signatureBytes({ statement, keyId, signature }));
}

/** By what the cluster's key set calls the keys, else by how their ids begin. */
function signersText({ signers }: Image): string {
  if (signers.length === 0) return "unsigned";
  return signers.map(({ label, keyId }) => (label === "" ? `key ${keyId.slice(0, 12)}` : label)).join(", ");
}

/** As other commands take it. */
function digestText(source: Image["source"]): string {
  const digest = source?.manifest?.digest ?? source?.file?.digest ?? "";
  return digest === "" ? "" : `sha256:${digest}`;
}

type InstallerFile = Installer["files"][number];

const FILE_COLUMNS: readonly Column<InstallerFile>[] = [
  { title: "FILE", text: ({ name }) => name },
  { title: "SIZE", text: ({ file }) => bytesText(file?.sizeBytes) },
  { title: "SHA-256", text: ({ file }) => file?.digest ?? "" },
];

export const INSTALLER_VIEW: View<Installer> = {
  kind: "installer image",
  name: ({ digest }) => digest,
  json: protoJson(InstallerSchema),
  columns: [
    { title: "VERSION", text: ({ version }) => version },
    { title: "IMPORTED", text: ({ importTime }) => timeText(importTime) },
    { title: "DIGEST", text: ({ digest }) => digest },
  ],
  more: (terminal, { files }) => `\n${formatTable(terminal, FILE_COLUMNS, files, { wide: true, header: true }).text}`,
};

function bytesText(bytes: bigint | undefined): string {
  return bytes === undefined ? "" : roundSize(Number(bytes));
}
