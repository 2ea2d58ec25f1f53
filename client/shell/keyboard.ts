import { SessionState } from "../../proto/gen/hps/v1/shell_pb.ts";
import { TerminalKeys } from "../../proto/values/terminal-replies.ts";
import type { Connection } from "./connection.ts";
import { EscapeFilter, type KeyEvent } from "./escape-filter.ts";
import type { Screen } from "./screen.ts";
import type { Writers } from "./writers.ts";

/** How a person wants to go. */
type Parting = "leave" | "detach";

/** For hpsd to answer a goodbye; then the person goes anyway. */
const GOODBYE_MS = 2000;
const CTRL_C = 3;

export interface KeyboardOptions {
  /** The byte that begins an escape; undefined: none does. */
  readonly escapeKey: number | undefined;
  /** False: nothing but escapes is read. */
  readonly write: boolean;
}

/** What is typed, to the session; escapes, to hpsctl itself. While there is no connection keys go nowhere, but escapes count. */
export class Keyboard {
  readonly #screen: Screen;
  readonly #escapeKey: number | undefined;
  readonly #writers: Writers;
  readonly #mayType: boolean;
  /** The session waits for somebody's approval: there is no program yet that Ctrl-C could interrupt. */
  #isWaiting = false;
  #toldReadOnly = false;
  readonly #unsent = new TerminalKeys();
  #filter: EscapeFilter;
  #connection: Connection | undefined;
  #goodbye: NodeJS.Timeout | undefined;
  readonly #gone = new AbortController();
  #parting: Parting | undefined;

  constructor(screen: Screen, writers: Writers, { escapeKey, write }: KeyboardOptions) {
    this.#screen = screen;
    this.#escapeKey = escapeKey;
    this.#mayType = write;
    this.#writers = writers;
    this.#filter = new EscapeFilter(escapeKey);
  }

  /** The person has gone, or is going. */
  get parting(): Parting | undefined {
    return this.#parting;
  }

  /** Aborted when the person has gone, whatever hpsd says. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Where keys go from now on; undefined: nowhere. */
  to(connection: Connection | undefined): void {
    this.#connection = connection;
    this.#isWaiting = connection?.session.state === SessionState.WAITING;
    // Whoever sees that the connection is lost types `~.` at once, wherever the last line ended.
    if (connection === undefined) this.#filter = new EscapeFilter(this.#escapeKey);
  }

  /** The program has said something. */
  begun(): void {
    this.#isWaiting = false;
  }

  /** Resolves when there is room for more. */
  async typed(bytes: Uint8Array): Promise<void> {
    const nobodyListens = this.#connection === undefined || this.#isWaiting;
    if (nobodyListens && bytes.includes(CTRL_C)) this.#part("leave");
    for (const event of this.#filter.feed(bytes)) await this.#act(event);
  }

  /** The connection is over: nothing more is waited for. */
  stop(): void {
    clearTimeout(this.#goodbye);
  }

  async #act(event: KeyEvent): Promise<void> {
    if (this.#parting !== undefined) return;
    switch (event.kind) {
      case "input":
        await this.#type(event.bytes);
        break;
      case "help":
        await this.#screen.say(helpText(this.#escapeKey ?? 0));
        break;
      case "admit":
        await this.#admit();
        break;
      default:
        this.#part(event.kind);
    }
  }

  async #type(bytes: Uint8Array): Promise<void> {
    if (this.#mayType) {
      await this.#connection?.type(bytes);
      return;
    }
    // The terminal may answer by itself what the program asked.
    if (this.#toldReadOnly || this.#unsent.take(bytes).length === 0) return;
    this.#toldReadOnly = true;
    await this.#screen.say("you only watch this session: what you type goes nowhere");
  }

  #part(how: Parting): void {
    this.#parting ??= how;
    if (this.#connection === undefined) {
      this.#gone.abort();
      return;
    }
    void this.#connection.send(how === "leave" ? { case: "leave", value: {} } : { case: "detach", value: {} });
    this.#goodbye ??= setTimeout(() => this.#gone.abort(), GOODBYE_MS);
  }

  async #admit(): Promise<void> {
    const value = this.#writers.toggle();
    if (value === undefined) await this.#screen.say("nobody asks to type in this session");
    else await this.#connection?.send({ case: "admit", value });
  }
}

function helpText(escapeKey: number): string {
  const key = keyName(escapeKey);
  const keys = [`${key}. leave`, `${key}d detach`, `${key}w let another type`, `${key}? this`, `${key}${key} a ${key}`];
  return `${keys.join("  ")}  after a newline`;
}

/** `~`, `^]`. */
function keyName(byte: number): string {
  return byte < 0x20 ? `^${String.fromCharCode(byte + 0x40)}` : String.fromCharCode(byte);
}
