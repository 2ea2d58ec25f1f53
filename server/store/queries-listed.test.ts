/** No query escapes: each function that asks the store something is in the list of a test that compiles it for PostgreSQL. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";

const FOLDER = import.meta.dirname;
const QUERY = /^export (?:async )?function (\w+)\(\s*(?:db|tx): (?:Db|Tx)\b/gm;

async function textOf(file: string): Promise<string> {
  return await readFile(path.join(FOLDER, file), "utf8");
}

test("every query is compiled for PostgreSQL", async () => {
  const files = await readdir(FOLDER);
  const tests = await Promise.all(files.filter((file) => file.endsWith("-postgres.test.ts")).map(textOf));
  const listed = new Set(tests.flatMap((text) => [...text.matchAll(/^ {2}(\w+)(?:,|: )/gm)].map(([, name]) => name)));
  const sources = files.filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));
  const queries = await Promise.all(
    sources.map(async (file) => [...(await textOf(file)).matchAll(QUERY)].map(([, name]) => ({ file, name }))),
  );
  expect(queries.flat().length).toBeGreaterThan(30);
  expect(queries.flat().filter(({ name }) => !listed.has(name))).toEqual([]);
});

test("a query is known by its first parameter, which is always called db or tx", async () => {
  const files = (await readdir(FOLDER)).filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));
  for (const file of files) {
    const text = await textOf(file);
    const taking = [...text.matchAll(/^export (?:async )?function\*? (\w+)\([^)]*\b(?:Db|Tx)\b/gm)].map(
      ([, name]) => name,
    );
    const known = new Set([...text.matchAll(QUERY)].map(([, name]) => name));
    expect(taking.filter((name) => !known.has(name))).toEqual([]);
    expect(text).not.toMatch(/^export const \w+ = (?:async )?\((?:db|tx)\b/m);
  }
});
