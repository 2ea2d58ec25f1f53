import type { ServerMessage } from "./messages.ts";

const TYPES: readonly string[] = ["session", "taken", "standing", "notice", "exit", "detached", "error"];

/** Reads a text frame of hpsd, which this page was served by: a frame it does not know is of a newer one, and skipped. */
export function readServerMessage(text: string): ServerMessage | undefined {
  const value: unknown = JSON.parse(text);
  return isServerMessage(value) ? value : undefined;
}

/** The page and what it hears come from one hpsd, which is trusted with all that is shown here anyway. */
function isServerMessage(value: unknown): value is ServerMessage {
  return typeof value === "object" && value !== null && "type" in value && TYPES.includes(String(value.type));
}
