/**
 * What the page and hpsd say to each other over one WebSocket: JSON in text frames, the terminal's own bytes in binary
 * ones. docs/web-terminal.md describes it. Both sides are built from these sources, so there is one version.
 */

export const SUBPROTOCOL = "hps.terminal.v1";
/** The upgrade's second subprotocol: this and the ticket. A URL is logged on the way, and read by scripts; this is not. */
export const TICKET_PREFIX = "hps.ticket.";
/** A request of this page has it: no page of another origin can add it without being allowed to, and none is. */
export const PAGE_HEADER = "hps-page";

/** Of one message either way from the page. */
export const MAX_FRAME_BYTES = 64 * 1024;
/** Bytes of input that the page may send before hpsd has said that they are taken. */
export const INPUT_WINDOW = 64 * 1024;
/** The page acknowledges output whenever it has shown so much more. */
export const ACK_EVERY = 32 * 1024;

export interface Size {
  readonly rows: number;
  readonly columns: number;
}

/** From the page. `start` is the first message and comes once: the terminal has its size before its first byte. */
export type PageMessage =
  | ({ readonly type: "start" } & Size)
  | ({ readonly type: "window" } & Size)
  /** Bytes of output shown so far, in all. */
  | { readonly type: "ack"; readonly bytes: number }
  /** Leave, and keep the session for a while. */
  | { readonly type: "detach" }
  /** End the session; from a watcher: leave. */
  | { readonly type: "end" }
  /** From the owner: this participant may type too, or no more. */
  | { readonly type: "admit"; readonly participant: string; readonly write: boolean };

/** Who and what the session is, as the page shows it. */
export interface SessionFacts {
  readonly id: string;
  readonly cluster: string;
  readonly host: string;
  /** Who began it. */
  readonly operator: string;
}

type PersonRole = "owner" | "writer" | "watcher";

/** Who takes part. */
interface Person {
  readonly id: string;
  readonly operator: string;
  readonly role: PersonRole;
  readonly address: string;
}

/** How things stand: after `session`, and whenever it changes. */
export interface Standing {
  /** `waiting` for another operator's approval, `open`, `detached`, `ended`, or what hpsd calls it else. */
  readonly state: string;
  readonly people: readonly Person[];
  /** Which of them this page is; empty before the session has begun. */
  readonly self: string;
  /** Whether what is typed here reaches the program. */
  readonly mayType: boolean;
  readonly recorded: boolean;
  /** Of the program's terminal, where it is known. */
  readonly size?: Size;
}

/** To the page. */
export type ServerMessage =
  | ({ readonly type: "session" } & SessionFacts)
  /** Bytes of input that the program has been given so far, in all. */
  | { readonly type: "taken"; readonly bytes: number }
  | ({ readonly type: "standing" } & Standing)
  /** Something about the session that is not the program's output. */
  | { readonly type: "notice"; readonly text: string }
  /** The last message: how it ended. `code` is 128 + signal for a killed program, 255 when it did not end by itself. */
  | { readonly type: "exit"; readonly code: number; readonly signal: number; readonly reason: string }
  /** The last message: the session goes on without this page. */
  | { readonly type: "detached"; readonly text: string; readonly comeBack: boolean }
  /** The last message: why there is no more. */
  | { readonly type: "error"; readonly code: string; readonly message: string; readonly hint: string };

/** What the page asks of `POST /web/tickets`: a link's secret, or a host to open, or a session to join. */
export interface TicketAsk {
  readonly link?: string;
  readonly host?: string;
  readonly session?: string;
  readonly write?: boolean;
  readonly reason?: string;
}
