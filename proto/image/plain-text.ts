import { HpsError } from "../values/hps-error.ts";
import { quote } from "../values/safe-text.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

/** Names that people compare by eye: nothing but visible ASCII. */
const PLAIN = /^[!-~]*$/;

export function writePlainText(writer: ByteWriter, what: string, text: string, longest: number): void {
  if (text.length > longest || !PLAIN.test(text)) throw new HpsError("invalid", `not ${what}: ${quote(text)}`);
  writer.text(text);
}

export function readPlainText(reader: ByteReader, what: string, longest: number): string {
  const at = reader.position;
  const text = reader.bytes(what, longest).toString("latin1");
  if (!PLAIN.test(text)) throw reader.wrong(`${what} is not of visible ASCII`, at);
  return text;
}
