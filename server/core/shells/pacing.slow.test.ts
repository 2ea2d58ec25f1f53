import { setImmediate as tick } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SessionNoticeKind } from "../../../proto/gen/hps/v1/shell_pb.ts";
import type { OperatorOutput, Participant } from "./participant.ts";
import { commandStart, exit, openShellsRig, output } from "./testing.ts";

const KiB = 1024;
/** Half a MiB for those who read, the piece that goes beyond it, one that is on its way, and some overhead. */
const MOST = (512 + 256 + 256 + 64) * KiB;
const ESC = 0x1b;

/** A participant that reads only when it is told to. */
class Reader {
  readonly #participant: Participant;
  readonly #output: AsyncIterator<OperatorOutput>;
  #pending: Promise<IteratorResult<OperatorOutput>> | undefined;
  got = 0;
  missed = 0;
  last: string | undefined;

  constructor(participant: Participant) {
    this.#participant = participant;
    this.#output = participant.output[Symbol.asyncIterator]();
  }

  /** Takes what is there, at most so many. */
  async read(most: number): Promise<void> {
    for (let count = 0; count < most; count += 1) {
      this.#pending ??= this.#output.next();
      const next = await Promise.race([this.#pending, tick(undefined)]);
      if (next === undefined) return;
      this.#pending = undefined;
      if (next.done === true) return this.#participant.leave("");
      this.#take(next.value);
    }
  }

  async readAll(): Promise<void> {
    while (this.last !== "exit") await this.read(1);
  }

  #take(message: OperatorOutput): void {
    this.last = message.case;
    // What programs write here has no sequences, a screen begins with one.
    if (message.case === "output" && message.value[0] !== ESC) this.got += message.value.length;
    if (message.case === "notice" && message.value.kind === SessionNoticeKind.BEHIND) {
      this.missed += Number(/(\d+) bytes/.exec(message.value.text)?.[1] ?? 0);
    }
  }
}

const STEP = fc.oneof(
  { weight: 3, arbitrary: fc.record({ writes: fc.integer({ min: 1, max: 256 * KiB }) }) },
  { weight: 2, arbitrary: fc.record({ reads: fc.integer({ min: 0, max: 3 }), most: fc.integer({ min: 1, max: 20 }) }) },
);

test.each([
  ["a terminal", undefined],
  ["a command", commandStart("cat")],
])(
  "of %s, whoever reads when and how fast: bounded, and each byte is shown or told as missed",
  async (_what, start) => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { minLength: 10, maxLength: 80 }), async (steps) => {
        await using rig = await openShellsRig();
        const { session, owner, agent } = await rig.open(start);
        const readers = [new Reader(owner)];
        for (const name of ["bob", "carol", "dave"]) readers.push(new Reader(await rig.attach(session, name)));
        let written = 0;
        let writing: Promise<void> = Promise.resolve();
        let isHeld = false;
        for (const step of steps) {
          if ("reads" in step) {
            await readers[step.reads]?.read(step.most);
          } else if (!isHeld) {
            written += step.writes;
            isHeld = true;
            writing = agent.receive(output(Buffer.alloc(step.writes, "x"))).then(() => {
              isHeld = false;
            });
            // As long as it takes to be recorded.
            for (let count = 0; count < 100 && isHeld; count += 1) await tick();
          }
          expect(session.bufferedBytes).toBeLessThan(MOST);
        }
        const reading = readers.map(async (reader) => await reader.readAll());
        await writing;
        await agent.receive(exit(0));
        await Promise.all(reading);
        for (const { got, missed } of readers) expect(got + missed).toBe(written);
        if (start !== undefined) expect(readers[0]?.missed).toBe(0);
      }),
      { numRuns: 8 },
    );
  },
);
