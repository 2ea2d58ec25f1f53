import { HpsError } from "../../proto/values/hps-error.ts";
import { windowSize } from "../output/raw-terminal.ts";
import type { Terminal } from "../output/terminal.ts";
import { NO_CODE } from "./command-session.ts";
import type { Connection } from "./connection.ts";
import { exitText } from "./exit-text.ts";
import { InputPump } from "./input-pump.ts";
import { Keyboard } from "./keyboard.ts";
import { Screen } from "./screen.ts";

export interface TerminalWish {
  /** The byte that begins an escape; undefined: none does. */
  readonly escapeKey: number | undefined;
  /** The size the session was begun with. */
  readonly window: { readonly rows: number; readonly columns: number };
}

/** A session that has this terminal until it ends or is left. Gives its exit code. */
export async function terminalSession(
  terminal: Terminal,
  connection: Connection,
  { escapeKey, window }: TerminalWish,
): Promise<number> {
  using screen = await Screen.take(terminal);
  const keyboard = new Keyboard(connection, screen, escapeKey);
  using _window = followWindow(terminal, connection, window);
  using _input = new InputPump(terminal, {
    data: async (bytes) => await keyboard.typed(bytes),
    end: () => void connection.send({ case: "endOfInput", value: {} }),
  });
  try {
    if (connection.session.recordsInput) await screen.say("what you type is recorded too, passwords as well");
    return await carryOutput(screen, connection);
  } catch (error) {
    if (!keyboard.left) throw error;
    await screen.say("you left; the session is ended");
    return NO_CODE;
  }
}

async function carryOutput(screen: Screen, connection: Connection): Promise<number> {
  for await (const message of connection.messages()) {
    if (message.case === "exit") {
      const text = exitText(message.value);
      if (text !== "") await screen.say(text);
      return message.value.code;
    }
    if (message.case === "detached") {
      await screen.say(message.value.reason === "" ? "you detached; the session goes on" : message.value.reason);
      return 0;
    }
    if (message.case === "notice") await screen.say(message.value.text);
    else await screen.show(message.value);
  }
  throw new HpsError("data-loss", "the session ended without an exit code");
}

/** Tells the session each new size of the window, and the one it has got since the session was begun. */
function followWindow(terminal: Terminal, connection: Connection, told: TerminalWish["window"]): Disposable {
  const tell = () => void connection.send({ case: "window", value: windowSize(terminal) });
  const { rows, columns } = windowSize(terminal);
  if (rows !== told.rows || columns !== told.columns) tell();
  terminal.stdout.on("resize", tell);
  return { [Symbol.dispose]: () => terminal.stdout.off("resize", tell) };
}
