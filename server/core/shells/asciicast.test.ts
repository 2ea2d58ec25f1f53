import fc from "fast-check";
import { expect, test } from "vitest";
import { ANY_CHARACTER } from "../../../proto/values/testing/any-character.ts";
import { CastEvents, castComment, castHeader } from "./asciicast.ts";

/** Events as a player reads them. */
function played(lines: string): [number, string, string][] {
  return lines
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => JSON.parse(line));
}

function shown(lines: string): string {
  return played(lines)
    .filter(([, code]) => code === "o")
    .map(([, , data]) => data)
    .join("");
}

test("the header is version 3 with the terminal's size and type", () => {
  const text = castHeader({ rows: 24, columns: 80, term: "xterm", startedAt: 1_700_000_000_999, title: "a\nb" });
  expect(text.endsWith("}\n")).toBe(true);
  expect(text.trimEnd()).not.toContain("\n");
  expect(JSON.parse(text)).toEqual({
    version: 3,
    term: { cols: 80, rows: 24, type: "xterm" },
    timestamp: 1_700_000_000,
    title: "a\nb",
  });
});

test("events hold the time since the one before", () => {
  const events = new CastEvents();
  const lines =
    events.output(250_000, Buffer.from("\x1b[1mhi\r\n")) +
    events.resize(1_000_000, { rows: 30, columns: 90 }) +
    events.output(999_000, Buffer.from("a clock that goes back")) +
    events.exit(1_000_001, 7);
  expect(played(lines)).toEqual([
    [0.25, "o", "\x1b[1mhi\r\n"],
    [0.75, "r", "90x30"],
    [0, "o", "a clock that goes back"],
    [0.000001, "x", "7"],
  ]);
});

test("a character cut by a read comes whole, the rest of a broken one at the end", () => {
  const events = new CastEvents();
  const [a = 0, b = 0, c = 0, d = 0] = Buffer.from("😀");
  expect(events.output(1, Uint8Array.of(a, b))).toBe("");
  expect(shown(events.output(2, Uint8Array.of(c, d)))).toBe("😀");
  expect(events.output(3, Uint8Array.of(a))).toBe("");
  const last = played(events.exit(4, 0));
  expect(last.map(([, code, data]) => [code, data])).toEqual([
    ["o", "\ufffd"],
    ["x", "0"],
  ]);
});

test("any text in any pieces is shown as it was, a byte-order mark too", () => {
  fc.assert(
    fc.property(fc.string({ unit: ANY_CHARACTER }), fc.array(fc.nat(40)), (text, cuts) => {
      const whole = `\ufeff${text}`.toWellFormed();
      const events = new CastEvents();
      let bytes = Buffer.from(whole);
      let lines = "";
      for (const cut of cuts) {
        lines += events.output(0, bytes.subarray(0, cut));
        bytes = bytes.subarray(cut);
      }
      lines += events.output(0, bytes) + events.exit(0, 0);
      expect(shown(lines)).toBe(whole);
    }),
  );
});

test("a comment stays one line", () => {
  expect(castComment('a\nb\r\n[0, "o"]')).toBe('# a b [0, "o"]\n');
});
