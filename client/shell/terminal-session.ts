import { durationMs } from "@bufbuild/protobuf/wkt";
import type { DetachedSession } from "../../proto/gen/hps/v1/shell_pb.ts";
import { formatDuration } from "../../proto/values/duration.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { WindowSize } from "../../proto/values/terminal.ts";
import { windowSize } from "../output/raw-terminal.ts";
import type { Terminal } from "../output/terminal.ts";
import { NO_CODE } from "./command-session.ts";
import type { Connection } from "./connection.ts";
import { exitText, type SessionExit } from "./exit-text.ts";
import { InputPump } from "./input-pump.ts";
import { Keyboard, type KeyboardOptions } from "./keyboard.ts";
import { Screen } from "./screen.ts";
import { mayPass, wayBack } from "./way-back.ts";
import { Writers } from "./writers.ts";

export interface TerminalWish extends KeyboardOptions {
  readonly terminal: Terminal;
  /** The size of the window that hpsd was told of. */
  readonly window: WindowSize;
  /** Comes back into the session, with the window as it is then. */
  readonly attach: (window: WindowSize) => Promise<Connection>;
  /** How the session ended, when nobody can come back into it. */
  readonly ended: () => Promise<SessionExit>;
}

/** For a program to draw over a line that hpsctl has written across it. */
const REPAINT_MS = 5000;

/** Takes part in a session by this terminal, through lost connections, until it ends or is left. Gives the exit code. */
export async function terminalSession(connection: Connection, wish: TerminalWish): Promise<number> {
  using session = new TerminalSession(await Screen.take(wish.terminal), connection, wish);
  return await session.run(connection);
}

class TerminalSession implements Disposable {
  readonly #wish: TerminalWish;
  readonly #screen: Screen;
  readonly #keyboard: Keyboard;
  readonly #writers: Writers;
  readonly #input: InputPump;
  readonly #id: string;
  #connection: Connection | undefined;
  /** How long the session goes on without anybody, as hpsd said last. */
  #holdMs = 0;
  #repaint: NodeJS.Timeout | undefined;
  #told: WindowSize;

  constructor(screen: Screen, { session, participant }: Connection, wish: TerminalWish) {
    this.#screen = screen;
    this.#wish = wish;
    this.#id = session.id;
    this.#told = wish.window;
    this.#writers = new Writers(participant);
    this.#keyboard = new Keyboard(screen, this.#writers, wish);
    this.#keyboard.gone.addEventListener("abort", () => this.#connection?.cut());
    this.#input = new InputPump(wish.terminal, {
      data: async (bytes) => await this.#keyboard.typed(bytes),
      end: () => void this.#connection?.send({ case: "endOfInput", value: {} }),
    });
    wish.terminal.stdout.on("resize", this.#onResize);
  }

  async run(first: Connection): Promise<number> {
    for (let connection = first; ; ) {
      const end = await this.#carry(connection);
      if (typeof end === "number") return end;
      const back = await this.#comeBack(end);
      if (typeof back === "number") return back;
      connection = back;
      await this.#screen.say("back in the session");
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#repaint);
    this.#wish.terminal.stdout.off("resize", this.#onResize);
    this.#keyboard.stop();
    this.#input[Symbol.dispose]();
    this.#connection?.cut();
    this.#screen[Symbol.dispose]();
  }

  /** Gives the exit code, or why the connection broke and there may be a way back. */
  async #carry(connection: Connection): Promise<number | HpsError> {
    this.#connection = connection;
    const { hold } = connection.session;
    this.#holdMs = hold === undefined ? 0 : durationMs(hold);
    this.#keyboard.to(connection);
    // The window may have got another size since the session was asked for.
    this.#onResize();
    try {
      for await (const message of connection.messages()) {
        if (message.case === "exit") return await this.#ended(message.value);
        if (message.case === "detached") return await this.#detached(message.value);
        if (message.case === "notice") await this.#say(message.value.text + this.#writers.heard(message.value));
        else await this.#show(message.value);
      }
      return new HpsError("unavailable", "hpsd ended the call without a word");
    } catch (error) {
      if (this.#keyboard.gone.aborted) return await this.#left();
      if (!mayPass(error) || this.#wish.terminal.signal.aborted) throw error;
      return error;
    } finally {
      this.#connection = undefined;
      this.#keyboard.to(undefined);
    }
  }

  async #show(bytes: Uint8Array): Promise<void> {
    this.#keyboard.begun();
    await this.#screen.show(bytes);
  }

  async #comeBack(lost: HpsError): Promise<Connection | number> {
    const { ended, terminal } = this.#wish;
    if (this.#keyboard.parting !== undefined) return await this.#left();
    const time = formatDuration(this.#holdMs);
    if (this.#holdMs > 0) await this.#say(`${lost.message}; tries to come back for ${time}, ~. leaves`);
    const signal = AbortSignal.any([terminal.signal, this.#keyboard.gone]);
    try {
      return await wayBack(() => this.#attach(), { limitMs: this.#holdMs, signal });
    } catch (error) {
      if (terminal.signal.aborted || !(error instanceof HpsError)) throw error;
      if (this.#keyboard.gone.aborted) return await this.#left();
      if (error.code === "not-found" || error.code === "precondition") return await this.#ended(await ended());
      throw new HpsError(error.code, `there is no way back to the session: ${error.message}`, {
        hint: `if it still goes on: hpsctl session attach ${this.#id}`,
        cause: error,
      });
    }
  }

  async #attach(): Promise<Connection> {
    this.#told = windowSize(this.#wish.terminal);
    return await this.#wish.attach(this.#told);
  }

  async #ended(exit: SessionExit): Promise<number> {
    const text = exitText(exit);
    if (text !== "") await this.#screen.sayLast(text);
    return exit.code;
  }

  async #detached({ reason, hold, comeBack }: DetachedSession): Promise<number | HpsError> {
    if (comeBack) return new HpsError("unavailable", reason);
    const time = hold === undefined ? this.#holdMs : durationMs(hold);
    const come = `Come back: hpsctl session attach ${this.#id}`;
    if (reason !== "") await this.#screen.sayLast(`detached: ${reason}`);
    else await this.#screen.sayLast(`detached; the session goes on, ${formatDuration(time)} without anybody. ${come}`);
    return reason === "" ? 0 : NO_CODE;
  }

  /** Without an answer of hpsd. */
  async #left(): Promise<number> {
    await this.#screen.sayLast(
      `you left without hpsd's answer; the session may go on: hpsctl session attach ${this.#id}`,
    );
    return NO_CODE;
  }

  async #say(text: string): Promise<void> {
    await this.#screen.say(text);
    if (!this.#screen.isFullScreen) return;
    clearTimeout(this.#repaint);
    this.#repaint = setTimeout(() => this.#nudge(), REPAINT_MS);
  }

  /** A program draws all anew when its window has changed. */
  #nudge(): void {
    const { rows, columns } = this.#told;
    if (rows > 1) this.#tell({ rows: rows - 1, columns });
    this.#onResize();
  }

  readonly #onResize = (): void => {
    const window = windowSize(this.#wish.terminal);
    if (window.rows !== this.#told.rows || window.columns !== this.#told.columns) this.#tell(window);
  };

  #tell(window: WindowSize): void {
    this.#told = window;
    if (!this.#wish.write) return;
    void this.#connection?.send({ case: "window", value: window });
  }
}
