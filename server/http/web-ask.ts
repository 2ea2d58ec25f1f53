import { HpsError } from "../../proto/values/hps-error.ts";
import type { TicketAsk } from "./web/messages.ts";

const FIELDS = ["link", "host", "session", "reason"] as const;
const MOST_CHARACTERS = 1024;

/** Reads the body of a page's request for a ticket: just one of a link, a host and a session. `invalid` else. */
export function parseTicketAsk(text: string): TicketAsk {
  const given = objectOf(text);
  const ask: Record<string, string | boolean> = {};
  for (const field of FIELDS) {
    const value = given[field];
    if (value === undefined) continue;
    if (typeof value !== "string" || value.length > MOST_CHARACTERS) {
      throw new HpsError("invalid", `the field ${field} is no text of at most ${MOST_CHARACTERS} characters`);
    }
    if (value !== "") ask[field] = value;
  }
  const named = ["link", "host", "session"].filter((field) => field in ask);
  if (named.length !== 1) throw new HpsError("invalid", "a terminal is of one host, one session or one link");
  return { ...ask, write: given.write === true };
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return { ...value };
  } catch {
    // Said below.
  }
  throw new HpsError("invalid", "the body is no JSON object");
}
