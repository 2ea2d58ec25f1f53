import { PAGE_HEADER, type TicketAsk } from "./messages.ts";

/** What hpsd said no with, for the reader. */
export class Refusal extends Error {
  readonly hint: string;
  /** hpsd is not there, or cannot now: the same may be asked again. */
  readonly mayPass: boolean;

  constructor(message: string, hint = "", mayPass = false) {
    super(message);
    this.hint = hint;
    this.mayPass = mayPass;
  }
}

const PATIENCE_MS = 20_000;
/** From here on a status is no word about the request. */
const SERVER_FAILURE = 500;

/** A ticket for one WebSocket. Throws a Refusal. */
export async function fetchTicket(ask: TicketAsk): Promise<string> {
  const answer = await fetch("tickets", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json", [PAGE_HEADER]: "1" },
    body: JSON.stringify(ask),
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).catch(() => {
    throw new Refusal("hpsd cannot be reached", "is it running, and are you on its network?", true);
  });
  const said: unknown = await answer.json().catch(() => ({}));
  const ticket = textOf(said, "ticket");
  if (answer.ok && ticket !== "") return ticket;
  const message = textOf(said, "message") || `hpsd answered ${answer.status}`;
  throw new Refusal(message, textOf(said, "hint"), answer.status >= SERVER_FAILURE);
}

function textOf(value: unknown, name: string): string {
  const found: unknown = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  return typeof found === "string" ? found : "";
}
