import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { ANY_CHARACTER } from "../values/testing/any-character.ts";
import { listOf } from "./scalars.ts";
import { messageOf } from "./testing/message-of.ts";
import { readYaml } from "./yaml-file.ts";

const schema = z.strictObject({
  name: z.string().optional(),
  listen: z.strictObject({ port: z.string().optional() }).prefault({}),
  words: listOf(z.string()).prefault([]),
});

const read = (text: string) => readYaml(schema, { text, file: "t.yaml" });

test("hostile YAML is refused in good time", { timeout: 30_000 }, () => {
  const pieces = [
    "[",
    "{",
    "{a: ",
    "- ",
    "? ",
    "&a ",
    "*a ",
    "!",
    "a: ",
    '"',
    "'",
    "|\n",
    "#",
    "a,",
    "\n ",
    "- - ",
    "a:\n",
    "%",
    "---\n",
    "\0",
    "!!str ",
  ];
  for (const piece of pieces) {
    for (const text of [piece.repeat(20_000 / piece.length), `words: [${piece.repeat(2000)}`])
      messageOf(() => read(text));
  }
  expect(messageOf(() => read("[".repeat(20_000)))).toContain("nested too deeply");
  const keys = Array.from({ length: 19_000 }, (_, index) => `k${index}: x`).join("\n");
  expect(messageOf(() => read(keys))).toContain("unknown key");
  expect(messageOf(() => read("#".repeat(300_000)))).toContain("longer than");
});

test("whatever the text, the refusal is printable", { timeout: 15_000 }, () => {
  const yamlish = fc.string({
    unit: fc.constantFrom(..."ab:-[]{},&*!|>'\"%@`#? \n\t~\u202e\ud800".split("")),
    maxLength: 60,
  });
  fc.assert(
    fc.property(fc.oneof(yamlish, fc.string({ unit: ANY_CHARACTER }), fc.json()), (text) => {
      expect(messageOf(() => read(text))).not.toMatch(/[\p{Cc}\p{Cs}\u202e]/u);
    }),
    { numRuns: 1000 },
  );
});
