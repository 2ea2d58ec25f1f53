import type { Connection } from "./connection.ts";
import { EscapeFilter, type KeyEvent } from "./escape-filter.ts";
import type { Screen } from "./screen.ts";

/** What is typed, to the session; escapes, to hpsctl itself. */
export class Keyboard {
  readonly #connection: Connection;
  readonly #screen: Screen;
  readonly #filter: EscapeFilter;
  readonly #help: string;
  #left = false;

  /** `escape` is a byte; undefined: nothing escapes. */
  constructor(connection: Connection, screen: Screen, escapeKey: number | undefined) {
    this.#connection = connection;
    this.#screen = screen;
    this.#filter = new EscapeFilter(escapeKey);
    this.#help = helpText(escapeKey ?? 0);
  }

  /** The session was left by a key, and ends for that. */
  get left(): boolean {
    return this.#left;
  }

  /** Resolves when there is room for more. */
  async typed(bytes: Uint8Array): Promise<void> {
    for (const event of this.#filter.feed(bytes)) await this.#act(event);
  }

  async #act(event: KeyEvent): Promise<void> {
    if (this.#left) return;
    if (event.kind === "input") await this.#connection.type(event.bytes);
    else if (event.kind === "help") await this.#screen.say(this.#help);
    else {
      this.#left = true;
      this.#connection.cut();
    }
  }
}

function helpText(escapeKey: number): string {
  const key = keyName(escapeKey);
  return `${key}. leave and end the session   ${key}? this   ${key}${key} a ${key} itself; after a newline only`;
}

/** `~`, `^]`. */
function keyName(byte: number): string {
  return byte < 0x20 ? `^${String.fromCharCode(byte + 0x40)}` : String.fromCharCode(byte);
}
