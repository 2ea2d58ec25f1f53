/** What the fuzz tests of the shell send: well-formed messages without sense, the same for the same seed. */
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServeShellRequestSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { OpenSessionRequestSchema } from "../../proto/gen/hps/v1/shell_pb.ts";
import { newUuid } from "../../proto/values/uuid.ts";
import type { Dice } from "../runner/dice.ts";

export type Said = MessageInitShape<typeof OpenSessionRequestSchema>;
export type Served = MessageInitShape<typeof ServeShellRequestSchema>;

/** Beyond what one message may hold now and then. */
const SIZES = [0, 1, 3, 100, 4096, 65_536, 262_144, 262_145, 600_000];
const NUMBERS = [0, 1, -1, 2, 9, 15, 64, 65, 80, 24, 10_000, 65_535, 65_536, 2 ** 31 - 1];
const OFFSETS = [0n, 1n, 4096n, 2n ** 31n, 2n ** 53n, 2n ** 64n - 1n];
const COMMANDS = [["cat"], ["true"], ["yes"], ["sh", "-c", "exit 3"], ["no-such-program"], ["sleep", "1"], [""]];
const TEXTS = ["", "x", "\x1b[c", "\u0000", "lab/h1", "🙂".repeat(200), "y".repeat(5000)];

/** One in `sides` wrong first messages; the rest ask for a terminal or a command on this host. */
export function firstSaid(dice: Dice, host: string): Said {
  if (dice.roll(8) === 0) return said(dice, host);
  const window = { rows: 24, columns: 80 };
  const start = dice.roll(2) === 0 ? { host, term: "xterm", window } : { host, command: dice.of(COMMANDS) };
  return { message: { case: "start", value: start } };
}

/** What an operator says in the middle. */
export function said(dice: Dice, host: string): Said {
  const bytes = () => new Uint8Array(dice.of(SIZES)).fill(dice.roll(256));
  const window = () => ({ rows: dice.of(NUMBERS) >>> 0, columns: dice.of(NUMBERS) >>> 0 });
  const kinds: readonly (() => Said)[] = [
    () => ({ message: { case: "input", value: bytes() } }),
    () => ({ message: { case: "input", value: new Uint8Array(Buffer.from(dice.of(["exit 3\n", "\x03", "yes\n"]))) } }),
    () => ({ message: { case: "window", value: window() } }),
    () => ({ message: { case: "signal", value: dice.of(NUMBERS) } }),
    () => ({ message: { case: "endOfInput", value: {} } }),
    () => ({ message: { case: "detach", value: {} } }),
    () => ({ message: { case: "leave", value: {} } }),
    () => ({ message: { case: "admit", value: { participant: dice.of(TEXTS), write: true } } }),
    () => ({
      message: { case: "start", value: { host, term: dice.of(TEXTS), reason: dice.of(TEXTS), window: window() } },
    }),
    () => ({}),
  ];
  return dice.of(kinds)();
}

/** What an agent says of a session. */
export function served(dice: Dice, session: string): Served {
  const bytes = () => new Uint8Array(dice.of(SIZES)).fill(dice.roll(256));
  const offsets = () => ({
    firstOffset: dice.of(OFFSETS),
    nextOffset: dice.of(OFFSETS),
    inputOffset: dice.of(OFFSETS),
  });
  const kinds: readonly (() => Served)[] = [
    () => ({ message: { case: "output", value: bytes() } }),
    () => ({ message: { case: "output", value: bytes() } }),
    () => ({ message: { case: "errorOutput", value: bytes() } }),
    () => ({ message: { case: "inputTaken", value: dice.of(OFFSETS) } }),
    () => ({
      message: { case: "exit", value: { code: dice.of(NUMBERS), signal: dice.of(NUMBERS), reason: dice.of(TEXTS) } },
    }),
    () => ({ message: { case: "session", value: dice.of([session, newUuid(), ""]) } }),
    () => ({ message: { case: "resume", value: { session, ...offsets() } } }),
    () => ({}),
  ];
  return dice.of(kinds)();
}

/** Up to so many messages, some after a moment; then the end, or nothing more for a while. */
export async function* many<T>(dice: Dice, first: T, next: () => T): AsyncGenerator<T, void> {
  yield first;
  for (let left = dice.roll(30); left > 0; left -= 1) {
    if (dice.roll(6) === 0) await sleep(dice.roll(30));
    yield next();
  }
  if (dice.roll(2) === 0) await sleep(dice.roll(300));
}

/** Reads a call to its end, to a number of messages or until it has taken too long, and then leaves it. */
export async function readSome(dice: Dice, call: (signal: AbortSignal) => AsyncIterable<unknown>): Promise<void> {
  let left = dice.roll(3) === 0 ? dice.roll(20) : Number.POSITIVE_INFINITY;
  const signal = AbortSignal.timeout(200 + dice.roll(800));
  try {
    for await (const _ of call(signal)) {
      left -= 1;
      if (left < 0) return;
      if (dice.roll(50) === 0) await sleep(dice.roll(50));
    }
  } catch {
    // Refused, or taken too long.
  }
}
