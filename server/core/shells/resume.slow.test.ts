import { stat, truncate } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { asked, next, restart } from "./testing/resumed.ts";
import { exit, openShellsRig, output } from "./testing.ts";

const SHARE = fc.double({ min: 0, max: 1, noNaN: true });

/** A piece that is recorded, or a power cut of hpsd that leaves so much of its files. */
const POWER = fc.oneof(
  { weight: 5, arbitrary: fc.record({ bytes: fc.integer({ min: 1, max: 2000 }) }) },
  { weight: 2, arbitrary: fc.record({ raw: SHARE, cast: SHARE }) },
);

test("however often hpsd loses its power: no byte is recorded twice, and what the agent still has is asked for", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(POWER, { minLength: 2, maxLength: 30 }), async (happenings) => {
      await using rig = await openShellsRig();
      const { session, agent } = await rig.open();
      const { id } = session.row;
      const at = (extension: string) => path.join(rig.folder, `${id}.${extension}`);
      let link = agent;
      // Where what is recorded lies in what the program wrote; how much of the cast a power cut cannot take.
      let places: number[] = [];
      let [first, sent, durable] = [0, 0, (await stat(at("cast"))).size];
      for (const happening of happenings) {
        if ("bytes" in happening) {
          const { bytes } = happening;
          const piece = Array.from({ length: bytes }, (_, index) => sent + index);
          await link.receive(output(Buffer.from(piece.map((place) => 33 + (place % 90)))));
          places.push(...piece);
          sent += bytes;
          continue;
        }
        places = places.slice(0, Math.round(places.length * happening.raw));
        await truncate(at("raw"), places.length);
        const { size } = await stat(at("cast"));
        await truncate(at("cast"), Math.max(durable, Math.round(size * happening.cast)));
        // The agent has forgotten what was recorded, but for the end of it.
        first = Math.max(first, sent - 500);
        link = await (await restart(rig)).resume(asked(id, first, sent));
        const from = Math.max(first, (places.at(-1) ?? -1) + 1);
        expect(await next(link)).toEqual({ case: "recorded", value: BigInt(from) });
        if (first === from) durable = (await stat(at("cast"))).size;
        sent = from;
      }
      const raw = await rig.file(session, "raw");
      expect(raw.equals(Buffer.from(places.map((place) => 33 + (place % 90))))).toBe(true);
    }),
    { numRuns: 25 },
  );
});

/** One thing that happens: bytes the program writes, a piece that is sent, a link that is lost with what is on its way. */
const HAPPENING = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("writes" as const), bytes: fc.integer({ min: 1, max: 3000 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("sends" as const), bytes: fc.integer({ min: 1, max: 2000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("loses" as const), bytes: fc.integer({ min: 0, max: 1 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restarts" as const), bytes: fc.constant(0) }) },
);

test("whatever is lost on the way and whenever hpsd dies: what the program wrote is recorded, each byte once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(HAPPENING, { minLength: 1, maxLength: 60 }), async (happenings) => {
      await using rig = await openShellsRig();
      const { session, agent } = await rig.open();
      const { id } = session.row;
      const program = { written: Buffer.alloc(0), sent: 0 };
      let [shells, link] = [rig.shells, agent];
      const send = async (bytes: number) => {
        const piece = program.written.subarray(program.sent, program.sent + bytes);
        program.sent += piece.length;
        // Not awaited: it may be on its way when the link is lost.
        if (piece.length > 0) void link.receive(output(piece));
      };
      const goOn = async () => {
        // What was recorded may be forgotten; here the agent has kept all.
        link = await shells.resume(asked(id, 0, program.written.length));
        const told = await next(link);
        if (told?.case !== "recorded") throw new Error("hpsd does not say from where");
        program.sent = Number(told.value);
      };
      for (const { kind, bytes } of happenings) {
        if (kind === "writes") {
          const more = Buffer.from(Array.from({ length: bytes }, (_, at) => (program.written.length + at) % 251));
          program.written = Buffer.concat([program.written, more]);
        } else if (kind === "sends") await send(bytes);
        else if (kind === "loses") {
          // Or a stream that nobody knows to be lost.
          if (bytes === 0) link.lost("");
          await goOn();
        } else {
          await shells.stop(50);
          shells = await restart(rig);
          await goOn();
        }
      }
      await send(program.written.length);
      await link.receive(exit(0));
      expect((await rig.file(session, "raw")).equals(program.written)).toBe(true);
      expect(await shells.get(id)).toMatchObject({ exitCode: 0, endReason: "" });
    }),
    { numRuns: 25 },
  );
});
