import type { RawData, WebSocket } from "ws";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { WindowSize } from "../../proto/values/terminal.ts";
import { OutputWindow } from "./output-window.ts";
import { INPUT_WINDOW, type PageMessage, type ServerMessage } from "./web/messages.ts";
import { parsePageMessage } from "./web-page-message.ts";

/** What is not output and waits to be sent; an honest page never lets it come near. */
const MOST_WAITING = 1024 * 1024;
/** Frames of a page: a fast one acknowledges a thousand times in a second, and nobody types as fast. */
const FRAMES_A_SECOND = 2000;
const MOST_FRAMES = 5000;

/** What the page sent and the session has not taken. */
export type PageInput =
  | { readonly case: "input"; readonly value: Uint8Array }
  | { readonly case: "window"; readonly value: WindowSize }
  | { readonly case: "order"; readonly value: PageOrder };

/** What the page says of the session. */
type PageOrder = Extract<PageMessage, { type: "detach" | "end" | "admit" }>;

/** Orders that wait; nobody clicks as fast. */
const MOST_ORDERS = 16;

/**
 * The page's end of one WebSocket. Nothing here waits for the page and nothing grows with it: output stops at the window,
 * input beyond its window is a breach, and acknowledgements are read even while input waits.
 */
export class WebLine {
  readonly #socket: WebSocket;
  readonly #output = new OutputWindow();
  readonly #input: Uint8Array[] = [];
  readonly #start = Promise.withResolvers<WindowSize>();
  /** The newest: an older one does not matter any more. */
  #window: WindowSize | undefined;
  readonly #orders: PageOrder[] = [];
  #started = false;
  #inputBytes = 0;
  #takenBytes = 0;
  /** How many frames more would be too many now. */
  #frames = MOST_FRAMES;
  #framesAt = performance.now();
  #wake: (() => void) | undefined;
  #breach: ((error: HpsError) => void) | undefined;
  #isClosed = false;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.#start.promise.catch(() => undefined);
    socket.on("message", (data, isBinary) => this.#guarded(() => this.#received(data, isBinary)));
    // Browsers do not ping; each would be answered from a buffer that nobody bounds.
    socket.on("ping", () => this.#guarded(() => fail("the page sends pings")));
  }

  /** Resolves with the first message; rejects when the line closes before. */
  get started(): Promise<WindowSize> {
    return this.#start.promise;
  }

  /** Calls back once when the page breaks the rules. */
  onBreach(breach: (error: HpsError) => void): void {
    this.#breach = breach;
  }

  /** What the page typed, and its newest size, until the line closes. Asking for the next tells the page that one is taken. */
  async *input(): AsyncGenerator<PageInput, void> {
    while (!this.#isClosed) {
      const window = this.#window;
      this.#window = undefined;
      if (window !== undefined) yield { case: "window", value: window };
      const order = this.#orders.shift();
      if (order !== undefined) yield { case: "order", value: order };
      const bytes = this.#input.shift();
      if (bytes !== undefined) {
        yield { case: "input", value: bytes };
        this.#takenBytes += bytes.length;
        this.tell({ type: "taken", bytes: this.#takenBytes });
      }
      if (window === undefined && order === undefined && bytes === undefined) await this.#somethingCame();
    }
  }

  /** Resolves once the bytes are on their way, which a page that does not show them delays; false when it is gone. */
  async write(bytes: Uint8Array): Promise<boolean> {
    if (!(await this.#output.room()) || this.#isClosed) return false;
    this.#output.sent(bytes.length);
    this.#socket.send(bytes, { binary: true }, ignore);
    return true;
  }

  tell(message: ServerMessage): void {
    if (this.#isClosed) return;
    if (this.#socket.bufferedAmount > MOST_WAITING) this.#socket.terminate();
    else this.#socket.send(JSON.stringify(message), ignore);
  }

  /** Nothing more is read, and nothing more written. */
  close(): void {
    this.#isClosed = true;
    this.#output.close();
    this.#start.reject(new HpsError("cancelled", "the browser went away"));
    this.#input.length = 0;
    this.#orders.length = 0;
    this.#wake?.();
  }

  #received(data: RawData, isBinary: boolean): void {
    if (this.#isClosed) return;
    this.#countFrame();
    const bytes = bytesOf(data);
    if (isBinary) this.#typed(bytes);
    else this.#control(Buffer.from(bytes).toString("utf8"));
    this.#wake?.();
  }

  #typed(bytes: Uint8Array): void {
    if (!this.#started) fail("the page typed before it said its size");
    if (bytes.length === 0) return;
    this.#inputBytes += bytes.length;
    if (this.#inputBytes - this.#takenBytes > INPUT_WINDOW) fail("the page sends more input than was taken");
    this.#input.push(bytes);
  }

  #control(text: string): void {
    const message = parsePageMessage(text);
    if (message.type === "ack") {
      this.#output.shown(message.bytes);
      return;
    }
    if (message.type === "detach" || message.type === "end" || message.type === "admit") {
      if (this.#orders.push(message) > MOST_ORDERS) fail("the page sends orders faster than they are done");
      return;
    }
    const { rows, columns } = message;
    if ((message.type === "start") === this.#started) fail("the page says its first size once, and first");
    if (message.type === "window") this.#window = { rows, columns };
    this.#started = true;
    this.#start.resolve({ rows, columns });
  }

  #countFrame(): void {
    const now = performance.now();
    this.#frames = Math.min(MOST_FRAMES, this.#frames + ((now - this.#framesAt) * FRAMES_A_SECOND) / 1000) - 1;
    this.#framesAt = now;
    if (this.#frames < 0) fail("the page floods hpsd with messages");
  }

  async #somethingCame(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      const said = error instanceof HpsError ? error : new HpsError("invalid", "a message of the page cannot be read");
      this.#breach?.(said);
    }
  }
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}

function fail(reason: string): never {
  throw new HpsError("invalid", reason);
}

/** What cannot be sent is a socket that is closing: its own event tells. */
function ignore(): void {}
