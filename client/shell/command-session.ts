import { constants } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import type { DetachedSession } from "../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { note } from "../output/print.ts";
import { type Terminal, write } from "../output/terminal.ts";
import type { Connection } from "./connection.ts";
import { exitText } from "./exit-text.ts";
import { InputPump } from "./input-pump.ts";

/** What a shell gives for a program whose reader went away: 128 + SIGPIPE. */
const BROKEN_PIPE = 141;
/** What ssh gives when it cannot know the program's own. */
export const NO_CODE = 255;
/** For a program that was told that nobody reads. */
const PIPE_GRACE_MS = 2000;

/** What of standard input goes along: all of it, its end at once, or nothing at all, as for who only watches. */
export interface CommandInput {
  readonly input: "all" | "end" | "none";
}

/**
 * One command: standard input, output and error are its own, byte for byte. A first interrupt is the command's, the second ends
 * the session; a reader that goes away is a SIGPIPE there. Gives its exit code.
 */
export async function commandSession(
  terminal: Terminal,
  connection: Connection,
  { input }: CommandInput,
): Promise<number> {
  using _input = input === "all" ? pumpInto(terminal, connection) : undefined;
  if (input === "end") void connection.send({ case: "endOfInput", value: {} });
  using _interrupt = terminal.takeInterrupt((signal) => {
    const left = input === "none";
    void connection.send(left ? { case: "leave", value: {} } : { case: "signal", value: constants.signals[signal] });
  });
  return await carryOutput(terminal, connection);
}

function pumpInto(terminal: Terminal, connection: Connection): InputPump {
  return new InputPump(terminal, {
    data: async (bytes) => void (await connection.type(bytes)),
    end: () => void connection.send({ case: "endOfInput", value: {} }),
  });
}

async function carryOutput(terminal: Terminal, connection: Connection): Promise<number> {
  const { stdout, stderr } = terminal;
  let readerGone = false;
  const give = async (screen: Terminal["stdout"], bytes: Uint8Array) => {
    if (readerGone) return;
    try {
      await write(screen, bytes);
    } catch (error) {
      if (error instanceof HpsError) throw error;
      readerGone = true;
      breakPipe(connection);
    }
  };
  try {
    for await (const message of connection.messages()) {
      if (message.case === "output") await give(stdout, message.value);
      else if (message.case === "errorOutput") await give(stderr, message.value);
      else if (message.case === "notice") await note(terminal, `hpsctl: ${message.value.text}`);
      else if (message.case === "detached") return await detached(terminal, message.value);
      else {
        const text = exitText({ ...message.value, signal: 0 });
        if (text !== "" && !readerGone) await note(terminal, `hpsctl: ${text}`);
        return readerGone ? BROKEN_PIPE : message.value.code;
      }
    }
  } catch (error) {
    if (!readerGone) throw error;
  }
  if (readerGone) return BROKEN_PIPE;
  throw new HpsError("data-loss", "the session ended without an exit code");
}

async function detached(terminal: Terminal, { reason }: DetachedSession): Promise<number> {
  if (reason === "") return 0;
  await note(terminal, `hpsctl: detached: ${reason}`);
  return NO_CODE;
}

/** As the kernel does to who writes into a pipe that nobody reads; one that ignores it is left after a moment. */
function breakPipe(connection: Connection): void {
  void connection.send({ case: "signal", value: constants.signals.SIGPIPE });
  void pause(PIPE_GRACE_MS, undefined, { ref: false }).then(() => connection.cut());
}
