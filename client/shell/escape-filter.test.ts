import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { EscapeFilter, type KeyEvent } from "./escape-filter.ts";

const TILDE = 0x7e;

/** What keys mean, in words: text that is sent as it is, commands in brackets. */
function meaning(pieces: readonly Uint8Array[], escapeKey: number | undefined = TILDE): string {
  const filter = new EscapeFilter(escapeKey);
  return pieces
    .flatMap((piece) => filter.feed(piece))
    .map(word)
    .join("");
}

function word(event: KeyEvent): string {
  return event.kind === "input" ? Buffer.from(event.bytes).toString("latin1") : `<${event.kind}>`;
}

const typed = (text: string) => [Buffer.from(text, "latin1")];

test.each([
  ["~.", "<leave>"],
  ["~d", "<detach>"],
  ["ls\r~.", "ls\r<leave>"],
  ["ls\n~d", "ls\n<detach>"],
  ["~w~w", "<admit><admit>"],
  ["~?~.", "<help><leave>"],
  ["~~", "~"],
  ["~~.", "~."],
  ["\r~~\r~.", "\r~\r<leave>"],
  ["ls ~.", "ls ~."],
  ["cd ~\r", "cd ~\r"],
  ["~x", "~x"],
  ["~\r~.", "~\r<leave>"],
  ["~x~.", "~x~."],
  ["\x00\xff~.", "\x00\xff~."],
  ["a~d\r~dd", "a~d\r<detach>d"],
])("%j means %j", (keys, means) => {
  expect(meaning(typed(keys))).toBe(means);
});

test("another character escapes, or none", () => {
  expect(meaning(typed("~.\r%."), "%".charCodeAt(0))).toBe("~.\r<leave>");
  expect(meaning(typed("\x1d."), 0x1d)).toBe("<leave>");
  const keys = Buffer.from("~.\r~d\r~?");
  expect(new EscapeFilter(undefined).feed(keys)).toEqual([{ kind: "input", bytes: keys }]);
});

test("an escape character alone is kept until it is known what it means", () => {
  const filter = new EscapeFilter(TILDE);
  expect(filter.feed(Buffer.from("~"))).toEqual([]);
  expect(filter.feed(Buffer.from("a")).map(word)).toEqual(["~a"]);
});

test("where the bytes are divided makes no difference, and no byte is lost or made up", () => {
  const alphabet = [..."~~~.d?wx\r\n\r\xff\0"];
  for (let round = 0; round < 500; round += 1) {
    const text = Array.from({ length: randomInt(40) }, () => alphabet[randomInt(alphabet.length)]).join("");
    const whole = meaning(typed(text));
    const cuts = new Set(Array.from({ length: randomInt(10) }, () => randomInt(text.length + 1)));
    const places = [0, ...[...cuts].sort((a, b) => a - b), text.length];
    const pieces = places.slice(1).map((end, at) => Buffer.from(text.slice(places[at], end), "latin1"));
    expect(meaning(pieces), JSON.stringify(text)).toBe(whole);
    expect(whole, JSON.stringify(text)).toBe(simple(text));
  }
});

/** The same by another way: line by line, as a person reads it. */
function simple(text: string): string {
  let left = text;
  let out = "";
  let begins = true;
  while (left !== "") {
    const command = begins ? /^~([.dw?])/.exec(left)?.[1] : undefined;
    if (command !== undefined) {
      out += `<${{ ".": "leave", d: "detach", w: "admit", "?": "help" }[command]}>`;
      left = left.slice(2);
      continue;
    }
    if (begins && left === "~") return out;
    const [taken = "", kept] =
      begins && left.startsWith("~~")
        ? ["~~", "~"]
        : begins && left.startsWith("~")
          ? [left.slice(0, 2)]
          : [left.slice(0, 1)];
    out += kept ?? taken;
    begins = /[\r\n]$/.test(taken);
    left = left.slice(taken.length);
  }
  return out;
}
