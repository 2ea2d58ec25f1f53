import { execFileSync } from "node:child_process";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ContainerKind,
  containerEnd,
  indexContent,
  parseTrailer,
  TRAILER_BYTES,
} from "../../../proto/image/container.ts";
import { DELTA, parseDeltaIndex } from "../../../proto/image/delta.ts";
import {
  compressManifest,
  encodeManifest,
  manifestBytes,
  manifestDigest,
  parseManifest,
} from "../../../proto/image/manifest.ts";
import { PACK, parsePackIndex } from "../../../proto/image/pack.ts";
import { compressFrame, openFrame } from "../../../proto/image/pack-frame.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { anyDamage, damaged } from "./damage.ts";
import { goodExamples } from "./good.ts";
import { READERS } from "./read.ts";
import { objectOf } from "./tree.ts";

const RUNS = { numRuns: 3000 };
const good = await goodExamples();
const bytesOf = (kind: string) => good[kind] ?? Buffer.alloc(0);

/** What reading gives; undefined when it is refused, which must be by an error of ours that names the layer. */
function outcome<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof HpsError)) throw error;
    expect(["invalid", "unimplemented", "denied"]).toContain(error.code);
    return undefined;
  }
}

function asText(found: unknown): string {
  return JSON.stringify(found, (_, value) => (typeof value === "bigint" ? `${value}` : value));
}

/** The index of a file, as it is before it is compressed, and how to read one in its place. */
function indexOf(kind: ContainerKind, file: Buffer) {
  const { indexOffset, ...trailer } = parseTrailer(kind, file.subarray(-TRAILER_BYTES), file.length);
  const stored = file.subarray(indexOffset, indexOffset + trailer.indexBytes);
  const raw = indexContent(kind, stored, { indexOffset, ...trailer });
  const read = (changed: Buffer) => {
    const end = containerEnd(kind, changed, indexOffset);
    const found = parseTrailer(kind, end.subarray(-TRAILER_BYTES), indexOffset + end.length);
    const index = end.subarray(0, -TRAILER_BYTES);
    return kind === PACK ? parsePackIndex(index, found) : parseDeltaIndex(index, found);
  };
  return { raw, read };
}

describe("damaged files are refused, or say what they said", () => {
  test.each(Object.keys(good))("%s", (kind) => {
    const right = asText(READERS[kind]?.(bytesOf(kind)));
    fc.assert(
      fc.property(anyDamage, (damage) => {
        const changed = damaged(bytesOf(kind), damage);
        const found = outcome(() => READERS[kind]?.(changed));
        // A manifest has no digest in itself: another one is another image, in the one form that there is for it.
        if (kind === "manifest" && found !== undefined)
          expect(encodeManifest(parseManifest(changed)).equals(changed)).toBe(true);
        else if (found !== undefined) expect(asText(found)).toBe(right);
      }),
      { numRuns: kind === "pack" ? 500 : RUNS.numRuns },
    );
  });

  test.each([PACK, DELTA])("$index, with all digests put right", (kind) => {
    const { raw, read } = indexOf(kind, bytesOf(kind.layer));
    expect(outcome(() => read(raw))).toBeDefined();
    fc.assert(
      fc.property(anyDamage, (damage) => {
        outcome(() => read(damaged(raw, damage)));
      }),
      RUNS,
    );
  });

  test("a manifest that is stored anew", () => {
    fc.assert(
      fc.property(anyDamage, (damage) => {
        const changed = damaged(bytesOf("manifest"), damage);
        if (changed.equals(bytesOf("manifest"))) return;
        const digest = manifestDigest(bytesOf("manifest"));
        expect(
          changed.length === 0 ? undefined : outcome(() => manifestBytes(compressManifest(changed), digest)),
        ).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test("random bytes, of every kind, with its right beginning and without", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(good)),
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(12),
        (kind, any, kept) => {
          const file = Buffer.concat([bytesOf(kind).subarray(0, kept), any]);
          if (kind !== "manifest") expect(outcome(() => READERS[kind]?.(file))).toBeUndefined();
          else outcome(() => parseManifest(file));
        },
      ),
      RUNS,
    );
  });

  test("a frame whose every block is damaged", async () => {
    const content = Buffer.from("content of some length, which repeats, which repeats, and goes on ".repeat(400));
    const frame = await compressFrame(content, 12);
    const objects = [objectOf(content)];
    fc.assert(
      fc.property(anyDamage, (damage) => {
        const found = outcome(() =>
          openFrame(damaged(frame, damage), { offset: 8, rawBytes: content.length, objects }),
        );
        if (found !== undefined) expect(found[0]?.equals(content)).toBe(true);
      }),
      RUNS,
    );
  });
});

test("what promises or unpacks to far more than it is takes neither memory nor time", () => {
  const output = execFileSync(process.execPath, [join(import.meta.dirname, "read-bombs.ts")], { timeout: 60_000 });
  const { outcomes, kib } = JSON.parse(output.toString());
  expect(outcomes).toHaveLength(11);
  for (const { bomb, refused, ms } of outcomes) {
    expect(refused, bomb).toMatch(/^the (manifest|pack|delta)('s index)? is damaged/);
    expect(ms, bomb).toBeLessThan(10_000);
  }
  // Of which a good part is what made them.
  expect(kib).toBeLessThan(256 << 10);
});
