import { RecordingPart, type Session } from "../../proto/gen/hps/v1/shell_pb.ts";
import { parseDuration } from "../../proto/values/duration.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { note } from "../output/print.ts";
import { windowSize } from "../output/raw-terminal.ts";
import { type Terminal, write } from "../output/terminal.ts";
import { playCommand } from "../playback/command.ts";
import { playKeys } from "../playback/keys.ts";
import { type PlayEnd, Player, type PlayerOptions } from "../playback/player.ts";
import { Spool } from "../playback/spool.ts";
import type { Hps } from "../sdk/connect.ts";
import { InputPump } from "../shell/input-pump.ts";
import { Screen } from "../shell/screen.ts";
import type { Call } from "./call.ts";

interface PlayWish {
  readonly speed: number;
  readonly idleLimit: number;
  readonly from: number;
  readonly raw: boolean;
}

/** What may be left on and a screen does not undo: the other character set, inserting. */
const SETTLED = "\x0f\x1b[4l";
const FASTEST = 1000;

/** Plays a recording as it was, for people on a terminal and for whoever else reads. */
export async function playSession(call: Call): Promise<number> {
  const wish = wishOf(call);
  const hps = await call.connect();
  const session = await hps.shells.getSession({ session: call.operand(0) }, call.once);
  if (session.command.length > 0) {
    await playCommand(call.terminal, readerOf(call, hps, RecordingPart.COMMAND, call.terminal.signal), wish.raw);
    return 0;
  }
  const end = await playTerminal(call, hps, wish);
  if (call.terminal.signal.aborted) throw new HpsError("cancelled", "interrupted");
  if (!end.quit) await note(call.terminal, `hpsctl: ${endText(session, end)}`);
  return 0;
}

function wishOf(call: Call): PlayWish {
  const {
    speed,
    idleLimit,
    from,
    raw = false,
  } = call.options<{
    speed: string;
    idleLimit?: string;
    from: string;
    raw?: true;
  }>();
  const factor = /^\d{1,4}(\.\d{1,3})?$/.test(speed) ? Number(speed) : 0;
  if (factor <= 0 || factor > FASTEST) {
    throw new HpsError("invalid", `not a speed: ${quote(speed)}`, { hint: "use 0.5, 2 or at most 1000" });
  }
  const idle = idleLimit === undefined ? Number.POSITIVE_INFINITY : playTime(idleLimit);
  return { speed: factor, idleLimit: idle, from: playTime(from), raw };
}

/** A bare number is seconds, as asciinema has it. */
function playTime(text: string): number {
  return /^\d{1,9}(\.\d{1,3})?$/.test(text) ? Math.round(Number(text) * 1000) : parseDuration(text);
}

async function* readerOf(call: Call, hps: Hps, part: RecordingPart, signal: AbortSignal) {
  const request = { session: call.operand(0), part };
  for await (const { data } of hps.shells.readRecording(request, { ...call.stream, signal })) yield data;
}

async function playTerminal(call: Call, hps: Hps, wish: PlayWish): Promise<PlayEnd> {
  const { terminal } = call;
  const leaving = new AbortController();
  await using spool = await Spool.of(readerOf(call, hps, RecordingPart.CAST, leaving.signal));
  const source = { ...wish, lines: () => spool.lines(), now: () => performance.now() };
  const leave = (player: Player) => {
    player.leave();
    // It may be waiting for what still comes.
    leaving.abort();
  };
  if (terminal.stdout.isTTY === true) return await onScreen(terminal, source, leave);
  const player = new Player({ ...source, write: async (text) => await write(terminal.stdout, text) });
  return await played(terminal, player, leave);
}

type Leave = (player: Player) => void;

/** The terminal is as it was before, however this ends. */
async function onScreen(terminal: Terminal, source: Omit<PlayerOptions, "write">, leave: Leave): Promise<PlayEnd> {
  using screen = await Screen.take(terminal);
  using _settled = terminal.atExit(() => terminal.stdout.write(SETTLED));
  const player = new Player({ ...source, write: async (text) => await screen.show(Buffer.from(text)) });
  const { rows, columns } = await player.header();
  const window = windowSize(terminal);
  if (rows > window.rows || columns > window.columns) {
    await screen.say(
      `recorded at ${columns}x${rows}, in a window of ${window.columns}x${window.rows} it may look broken`,
    );
  }
  using _keys = terminal.stdin.isTTY === true ? keysTo(terminal, player, leave) : undefined;
  try {
    return await played(terminal, player, leave);
  } finally {
    await screen.show(Buffer.from(SETTLED));
  }
}

function keysTo(terminal: Terminal, player: Player, leave: Leave): Disposable {
  const data = async (bytes: Uint8Array) => {
    for (const key of playKeys(Buffer.from(bytes).toString("latin1"))) {
      if (key === "quit") leave(player);
      else player.press(key);
    }
  };
  return new InputPump(terminal, { data, end: () => undefined });
}

async function played(terminal: Terminal, player: Player, leave: Leave): Promise<PlayEnd> {
  const interrupted = () => leave(player);
  terminal.signal.addEventListener("abort", interrupted, { once: true });
  try {
    return await player.play();
  } catch (error) {
    // What it waited for was cut off for that.
    if (!player.isLeft) throw error;
    return { exit: undefined, quit: true };
  } finally {
    terminal.signal.removeEventListener("abort", interrupted);
  }
}

function endText({ endTime, endReason }: Session, { exit }: PlayEnd): string {
  if (exit === undefined) {
    return endTime === undefined ? "the session goes on: this is all up to now" : "the recording stops here";
  }
  return `the session ended with exit code ${exit}${endReason === "" ? "" : `: ${endReason}`}`;
}
