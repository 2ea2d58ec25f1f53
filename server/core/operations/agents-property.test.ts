import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { JournalEntrySchema } from "../../../proto/gen/hps/v1/installation_pb.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { HpsStore } from "../../store/database.ts";
import { selectJournal } from "../../store/journal.ts";
import { selectLogLines } from "../../store/log-lines.ts";
import { openOperations } from "./testing.ts";
import { event, hello, line, plan, type RequestInit, started, TestStream } from "./testing-agent.ts";

/** What happens to an agent and its connection; numbers say how many messages. */
type Happening =
  | { readonly kind: "say"; readonly count: number }
  | { readonly kind: "repeat"; readonly count: number }
  | { readonly kind: "wait" }
  | { readonly kind: "cut" }
  | { readonly kind: "cut-after-commit" }
  | { readonly kind: "skip" }
  | { readonly kind: "rival" };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("say" as const), count: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("repeat" as const), count: fc.integer({ min: 1, max: 6 }) }) },
  fc.constantFrom<Happening>(
    ...[{ kind: "wait" } as const, { kind: "cut" } as const, { kind: "cut-after-commit" } as const],
    ...[{ kind: "skip" } as const, { kind: "rival" } as const],
  ),
);

type Rig = Awaited<ReturnType<typeof openOperations>>;

/** An honest agent: keeps what is not acknowledged and sends it again after every break. */
class HonestAgent {
  readonly runId = newUuid();
  readonly #rig: Rig;
  readonly #installationId: string;
  #said = 0;
  #acknowledged = 0;
  #stream: TestStream | undefined;

  constructor(rig: Rig, installationId: string) {
    this.#rig = rig;
    this.#installationId = installationId;
  }

  get said(): number {
    return this.#said;
  }

  /** Message n of this run is always the same. */
  static message(n: number): RequestInit {
    if (n === 1) return event(1, plan("a"));
    return n % 2 === 0 ? event(n, started("a")) : line(n, `line ${n}`);
  }

  async connected(): Promise<TestStream> {
    if (this.#stream !== undefined) return this.#stream;
    const stream = new TestStream(this.#rig.agents, this.#rig.installer(this.#installationId)).send(hello(this.runId));
    const { acknowledgedSequence = 0n } = await stream.welcome();
    // Never less than what was acknowledged, never more than what was said.
    expect(Number(acknowledgedSequence)).toBeGreaterThanOrEqual(this.#acknowledged);
    expect(Number(acknowledgedSequence)).toBeLessThanOrEqual(this.#said);
    this.#acknowledged = Number(acknowledgedSequence);
    this.#send(stream, this.#acknowledged + 1, this.#said);
    this.#stream = stream;
    return stream;
  }

  async happen(what: Happening): Promise<void> {
    const stream = await this.connected();
    switch (what.kind) {
      case "say":
        this.#send(stream, this.#said + 1, this.#said + what.count);
        this.#said += what.count;
        return;
      case "repeat":
        return this.#send(stream, Math.max(1, this.#said - what.count), this.#said);
      case "wait":
        return await this.drain();
      case "cut-after-commit": {
        // The commit has happened, its acknowledgement is lost: we do not look at what came.
        await stream.untilAcknowledged(this.#said);
        return await this.#break(stream, () => stream.cut());
      }
      case "cut":
        return await this.#break(stream, () => stream.cut());
      case "skip":
        return await this.#break(stream, () => void stream.send(line(this.#said + 2, "never stored")), "invalid");
      case "rival": {
        const rival = new TestStream(this.#rig.agents, this.#rig.installer(this.#installationId)).send(
          hello(this.runId),
        );
        await rival.welcome();
        await this.#break(stream, () => undefined, "aborted");
        rival.cut();
        await rival.ended;
      }
    }
  }

  /** Until all is acknowledged. */
  async drain(): Promise<void> {
    const stream = await this.connected();
    await stream.untilAcknowledged(this.#said);
    expect(stream.acknowledged).toBe(this.#said);
    this.#acknowledged = this.#said;
  }

  async #break(stream: TestStream, act: () => void, code = "cancelled"): Promise<void> {
    act();
    this.#stream = undefined;
    expect(await stream.ended).toMatchObject({ code });
  }

  #send(stream: TestStream, first: number, last: number): void {
    for (let n = Math.max(1, first); n <= last; n += 1) stream.send(HonestAgent.message(n));
  }
}

async function stored(store: HpsStore, id: string) {
  return await store.read(async (db) => {
    const rows = await selectJournal(db, id, { after: 0, limit: 1000 });
    const entries = rows.map((row) => fromBinary(JournalEntrySchema, row.entry));
    const events = entries.flatMap(({ entry }) => (entry.case === "event" ? [Number(entry.value.sequence)] : []));
    const lines = await selectLogLines(db, id, { after: 0, last: 1000 });
    return { sequences: entries.map(({ sequence }) => Number(sequence)), events, lines };
  });
}

test("whatever breaks, the journal is what was said: nothing missing, nothing twice, in order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 1, maxLength: 14 }), async (happenings) => {
      await using rig = await openOperations();
      const id = await rig.opened("enrol");
      const agent = new HonestAgent(rig, id);
      for (const what of happenings) await agent.happen(what);
      await agent.happen({ kind: "say", count: 2 });
      await agent.drain();
      (await agent.connected()).cut();
      const { sequences, events, lines } = await stored(rig.store, id);
      const numbers = Array.from({ length: agent.said }, (_, index) => index + 1);
      expect(sequences).toEqual(sequences.map((_, index) => index + 1));
      expect(events).toEqual(numbers.filter((n) => n === 1 || n % 2 === 0));
      expect(lines.map(({ text }) => Buffer.from(text).toString())).toEqual(
        numbers.filter((n) => n > 1 && n % 2 === 1).map((n) => `line ${n}`),
      );
      expect(lines.map(({ sequence }) => sequence)).toEqual(lines.map((_, index) => index + 1));
    }),
    { numRuns: 25 },
  );
}, 120_000);
