import { HpsError } from "../../proto/values/hps-error.ts";
import { parseWindowSize, type WindowSize } from "../../proto/values/terminal.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import type { PageMessage } from "./web/messages.ts";

/** Of a message in JSON; the longest honest one has 60. */
const MOST_CHARACTERS = 1024;

/** Reads one text frame of a page. `invalid` for anything that this protocol does not know. */
export function parsePageMessage(text: string): PageMessage {
  if (text.length > MOST_CHARACTERS) throw new HpsError("invalid", "a message of the page is too long");
  const message = jsonOf(text);
  const { type } = message;
  if (type === "start" || type === "window") return { type, ...sizeIn(message) };
  if (type === "ack") return { type, bytes: countIn(message) };
  if (type === "detach" || type === "end") return { type };
  if (type === "admit") return { type, ...admissionIn(message) };
  throw new HpsError("invalid", "a message of the page is of no known type");
}

function jsonOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return { ...value };
  } catch {
    // Said below.
  }
  throw new HpsError("invalid", "a message of the page is no JSON object");
}

function sizeIn({ rows, columns }: Readonly<Record<string, unknown>>): WindowSize {
  if (typeof rows !== "number" || typeof columns !== "number") {
    throw new HpsError("invalid", "a message of the page has no window size");
  }
  return parseWindowSize({ rows, columns });
}

function countIn({ bytes }: Readonly<Record<string, unknown>>): number {
  if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw new HpsError("invalid", "a message of the page has no count of bytes");
  }
  return bytes;
}

function admissionIn({ participant, write }: Readonly<Record<string, unknown>>) {
  if (typeof participant !== "string" || typeof write !== "boolean") {
    throw new HpsError("invalid", "a message of the page does not say who may type");
  }
  return { participant: parseUuid(participant), write };
}
