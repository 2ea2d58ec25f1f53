import {
  ACK_EVERY,
  INPUT_WINDOW,
  type PageMessage,
  type ServerMessage,
  type Size,
  SUBPROTOCOL,
  TICKET_PREFIX,
} from "./messages.ts";
import { readServerMessage } from "./server-message.ts";

/** Of one frame of input. */
const PIECE = 16 * 1024;
/** For the upgrade and the first word of hpsd, which opens a shell first. */
const PATIENCE_MS = 30_000;

export interface LineEvents {
  readonly message: (message: ServerMessage) => void;
  /** Calls back when the bytes are drawn. */
  readonly output: (bytes: Uint8Array, drawn: () => void) => void;
  /** The connection is gone; nothing comes after it. */
  readonly closed: () => void;
}

/** The page's end of the WebSocket: input within its window, acknowledgements of what was drawn. */
export class Line {
  readonly #socket: WebSocket;
  readonly #events: LineEvents;
  readonly #patience: ReturnType<typeof setTimeout>;
  #waiting: Uint8Array[] = [];
  #sent = 0;
  #taken = 0;
  #drawn = 0;
  #acknowledged = 0;

  constructor(ticket: string, size: Size, events: LineEvents) {
    this.#events = events;
    const socket = new WebSocket(`wss://${location.host}/web/socket`, [SUBPROTOCOL, TICKET_PREFIX + ticket]);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    this.#patience = setTimeout(() => socket.close(), PATIENCE_MS);
    socket.addEventListener("open", () => {
      this.#control({ type: "start", ...size });
      this.#flush();
    });
    socket.addEventListener("message", ({ data }) => this.#received(data));
    socket.addEventListener("close", () => {
      clearTimeout(this.#patience);
      events.closed();
    });
  }

  /** Something was typed of which hpsd has not said that it took it: where it is when this line is lost, nobody can tell. */
  get owes(): boolean {
    return this.#waiting.length > 0 || this.#taken < this.#sent;
  }

  type(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; from += PIECE) this.#waiting.push(bytes.subarray(from, from + PIECE));
    this.#flush();
  }

  resize(size: Size): void {
    this.#control({ type: "window", ...size });
  }

  /** What the page says of the session. */
  order(order: Extract<PageMessage, { type: "detach" | "end" | "admit" }>): void {
    this.#control(order);
  }

  close(): void {
    this.#socket.close(1000);
  }

  #received(data: unknown): void {
    if (data instanceof ArrayBuffer) {
      const { byteLength } = data;
      this.#events.output(new Uint8Array(data), () => this.#wasDrawn(byteLength));
      return;
    }
    const message = readServerMessage(String(data));
    if (message === undefined) return;
    clearTimeout(this.#patience);
    if (message.type === "taken") {
      this.#taken = message.bytes;
      this.#flush();
    } else this.#events.message(message);
  }

  #wasDrawn(bytes: number): void {
    this.#drawn += bytes;
    if (this.#drawn - this.#acknowledged < ACK_EVERY) return;
    this.#acknowledged = this.#drawn;
    this.#control({ type: "ack", bytes: this.#drawn });
  }

  /** What was typed too early, or is more than the window, waits. */
  #flush(): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    let [next] = this.#waiting;
    while (next !== undefined && this.#sent - this.#taken + next.length <= INPUT_WINDOW) {
      this.#waiting.shift();
      this.#sent += next.length;
      this.#socket.send(new Uint8Array(next));
      [next] = this.#waiting;
    }
  }

  #control(message: PageMessage): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
