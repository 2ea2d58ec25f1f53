import fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { z } from "zod";
import { parsePort } from "../values/endpoint.ts";
import { textOf } from "../values/parsed.ts";
import { durationBetween, listOf, sizeBetween, wholeNumber, yesOrNo } from "./scalars.ts";
import { messageOf } from "./testing/message-of.ts";
import { readYaml } from "./yaml-file.ts";

const schema = z.strictObject({
  name: z.string().optional(),
  listen: z.strictObject({ port: textOf(parsePort).prefault("80"), on: yesOrNo.prefault("true") }).prefault({}),
  words: listOf(z.string()).prefault([]),
  mode: z.enum(["one", "two"]).optional(),
  items: z.array(z.strictObject({ id: z.string() })).prefault([]),
  leaseTime: durationBetween("1m", "1d").prefault("1h"),
  size: sizeBetween("1KiB", "1GiB").prefault("1MiB"),
  count: wholeNumber(1, 10).prefault("3"),
});

const read = (text: string, more: object = {}) => readYaml(schema, { text, file: "t.yaml", ...more });

test("a text is the text that was written", () => {
  const plain = [
    "007",
    "1.10",
    "null",
    "~",
    "yes",
    "No",
    "on",
    "2001-01-01",
    "0x1f",
    "1e3",
    ".inf",
    "true",
    "1_000",
    "12:30:45",
    "<<",
    "=",
    "é日",
  ];
  for (const text of plain) {
    expect(read(`name: ${text}`).name).toBe(text);
    expect(read(`%YAML 1.1\n---\nname: ${text}\nwords: [${text}]\n`)).toMatchObject({ name: text, words: [text] });
  }
  expect(read("name: ''").name).toBe("");
  expect(read("name: !!str 5").name).toBe("5");
  expect(read("name: |\n  a\n  b\n").name).toBe("a\nb\n");
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme" }),
      fc.array(fc.string({ unit: "grapheme-ascii" }), { maxLength: 5 }),
      (name, words) => {
        const quoted = `name: ${JSON.stringify(name)}\nwords: ${JSON.stringify(words)}\n`;
        expect(read(quoted)).toMatchObject({ name, words });
        expect(read(stringify({ name, words }, { defaultStringType: "QUOTE_DOUBLE", lineWidth: 0 }))).toMatchObject({
          name,
          words,
        });
      },
    ),
  );
});

test("an empty file is all defaults", () => {
  const defaults = {
    listen: { port: 80, on: true },
    words: [],
    items: [],
    leaseTime: 3_600_000,
    size: 1_048_576,
    count: 3,
  };
  for (const text of ["", "# nothing\n", "---\n", "\ufeff"]) expect(read(text)).toEqual(defaults);
});

test("an error names the place and the way out", () => {
  const table: Readonly<Record<string, string>> = {
    "a: 1\nlisten:\n  prot: 1\n":
      "t.yaml:1:1: unknown key `a` (known here: name, listen, words, mode, items, leaseTime, size, count)",
    "\nlisten:\n  prot: 1\n": "t.yaml:3:3: unknown key `prot`, did you mean `port`?",
    "items:\n  - id: x\n  - {id: y, di: z}\n": "t.yaml:3:13: unknown key `di`, did you mean `id`?",
    "listen: {port: 0}": "t.yaml:1:10: `listen.port`: port 0 cannot be reached",
    "words: one": "t.yaml:1:1: `words` must be a list",
    "listen: [a]": "t.yaml:1:1: `listen` must be a section",
    "name: [a]": "t.yaml:1:1: `name` must be a text",
    "- a": "t.yaml:1:1: must be a section",
    hello: "t.yaml:1:1: must be a section",
    "items: [{}]": "t.yaml:1:9: `items.0.id` is missing",
    "mode: three": "t.yaml:1:1: `mode` must be one of one, two",
    "count: 11": 't.yaml:1:1: `count`: not a whole number from 1 to 10: "11"',
    "leaseTime: 30s": "t.yaml:1:1: `leaseTime`: 30s is not from 1m to 1d",
    "listen: {on: yes}": 't.yaml:1:10: `listen.on`: neither true nor false: "yes"',
    "name: a\nname: b": "t.yaml:2:1: `name` is written twice",
    "listen:\nname: b": "t.yaml:1:8: `listen` has no value",
    "name: !!int 5": "t.yaml:1:7: Unresolved tag: tag:yaml.org,2002:int",
    "name: *x": 't.yaml:1:7: no anchor "x" before this',
    "? [a]\n: b": "t.yaml:1:1: a key is not a text",
    "__proto__: {port: 1}": "t.yaml:1:1: unknown key `__proto__`",
    "name: a\n---\nname: b": "t.yaml:2:1: Source contains multiple documents",
    "<<: {name: a}": "t.yaml:1:1: unknown key `<<`",
  };
  for (const [text, message] of Object.entries(table))
    expect(
      messageOf(() => read(text)),
      text,
    ).toContain(message);
  expect(messageOf(() => read("naem: a\nmode: b"))).toMatch(/:2:1: .*; .*:1:1: |:1:1: .*; .*:2:1: /);
  expect(messageOf(() => read("name:\n\tx: 1"))).toMatch(/^t.yaml:\d:\d: /);
});

test("aliases work, and cannot multiply without end", () => {
  expect(read("name: &n x\nwords: [*n, *n]").words).toEqual(["x", "x"]);
  const laughs = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"];
  for (let level = 1; level < 12; level += 1)
    laughs.push(
      `a${level}: &a${level} [${Array(10)
        .fill(`*a${level - 1}`)
        .join(",")}]`,
    );
  expect(messageOf(() => read(laughs.join("\n")))).toContain("more than 20000 values");
  expect(messageOf(() => read("words: &a [*a]"))).toContain("nested more than");
});

test("environment and flags go through the same parsers, and say their own names", () => {
  const environment = {
    T_LISTEN_PORT: "81",
    T_LEASE_TIME: "2h",
    T_WORDS: "a, b",
    T_NAME: "007",
    OTHER: "x",
    T_CONFIG: "f",
  };
  const more = {
    prefix: "T",
    environment,
    otherVariables: ["T_CONFIG"],
    sets: ["listen.port=82", "name=null", "name=a=b"],
  };
  expect(read("listen: {port: 79, on: false}\nwords: [x,y,z]", more)).toMatchObject({
    listen: { port: 82, on: false },
    leaseTime: 7_200_000,
    words: ["a", "b"],
    name: "a=b",
  });
  const bad = (environmentOf: object, sets: string[] = []) =>
    messageOf(() => read("", { prefix: "T", environment: environmentOf, sets }));
  expect(bad({ T_LISTEN_PORT: "x" })).toBe('T_LISTEN_PORT: `listen.port`: not a port: "x"');
  expect(bad({ T_LISTEN_PROT: "1" })).toBe("unknown environment variable T_LISTEN_PROT, did you mean T_LISTEN_PORT?");
  expect(bad({}, ["listen.port=x"])).toBe('--set listen.port: `listen.port`: not a port: "x"');
  expect(bad({}, ["listen.prot=1"])).toBe("--set listen.prot: unknown setting, did you mean listen.port?");
  for (const set of ["listen", "listen=1", "items=1", "__proto__=1", "listen.__proto__=1", "=", ""]) {
    expect(bad({}, [set]), set).toMatch(/^--set/);
  }
  expect(messageOf(() => read("listen: x", { sets: ["listen.port=1"] }))).toContain(
    "t.yaml:1:1: `listen` must be a section",
  );
  expect("1" in {}).toBe(false);
});
