/** What a piece of typed keys means, in order. */
export type KeyEvent =
  | { readonly kind: "input"; readonly bytes: Uint8Array }
  /** `~.`: leave. */
  | { readonly kind: "leave" }
  /** `~d`: leave it running. */
  | { readonly kind: "detach" }
  /** Let who asked for it type, or take it back: `~w`. */
  | { readonly kind: "admit" }
  /** `~?`. */
  | { readonly kind: "help" };

type Command = Exclude<KeyEvent["kind"], "input">;

const COMMANDS: ReadonlyMap<number, Command> = new Map([
  [0x2e, "leave"],
  [0x64, "detach"],
  [0x77, "admit"],
  [0x3f, "help"],
]);

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Tells typed keys from escapes: the escape character is one only at the beginning of a line, which is after a newline and
 * at the start of the session; typed twice it is sent once; before a key that means nothing both are sent. A state machine:
 * where the bytes are divided makes no difference.
 */
export class EscapeFilter {
  readonly #escapeKey: number | undefined;
  #lineBegins = true;
  /** The escape character was typed and not sent. */
  #pending = false;

  /** A byte; undefined: none. */
  constructor(escapeKey: number | undefined) {
    this.#escapeKey = escapeKey;
  }

  feed(bytes: Uint8Array): KeyEvent[] {
    if (this.#escapeKey === undefined) return bytes.length === 0 ? [] : [{ kind: "input", bytes }];
    const events: KeyEvent[] = [];
    const sent: number[] = [];
    const flush = () => {
      if (sent.length > 0) events.push({ kind: "input", bytes: Uint8Array.from(sent.splice(0)) });
    };
    for (const byte of bytes) {
      const command = this.#next(byte, this.#escapeKey, sent);
      if (command === undefined) continue;
      flush();
      events.push({ kind: command });
    }
    flush();
    return events;
  }

  #next(byte: number, escapeKey: number, sent: number[]): Command | undefined {
    if (this.#pending) {
      this.#pending = false;
      const command = COMMANDS.get(byte);
      // The line still begins: nothing of it was sent.
      if (command !== undefined) return command;
      sent.push(escapeKey);
      if (byte !== escapeKey) sent.push(byte);
    } else if (this.#lineBegins && byte === escapeKey) {
      this.#pending = true;
      return undefined;
    } else {
      sent.push(byte);
    }
    this.#lineBegins = byte === LINE_FEED || byte === CARRIAGE_RETURN;
    return undefined;
  }
}
