import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { examples, type RefusedExample } from "./examples.ts";
import { READERS } from "./read.ts";
import { FOLDER, secondReader } from "./second-reader.ts";

const made = await examples();
const stored = (path: string) => readFileSync(join(FOLDER, path));
const REFUSED: readonly RefusedExample[] = JSON.parse(stored("refused.json").toString());

describe("the examples of the image format", () => {
  test("are what the writer makes today, to the byte: what differs is another format", () => {
    for (const [path, content] of Object.entries(made.files)) {
      expect(stored(path).equals(Buffer.from(content)), `${path}; node test/vectors/image/generate.ts`).toBe(true);
    }
  });

  test.each(made.good)("%s.hex is read by both readers", (kind) => {
    READERS[kind]?.(Buffer.from(stored(`${kind}.hex`).toString().replaceAll("\n", ""), "hex"));
    expect(secondReader(kind, `${kind}.hex`)).toBe(stored(`${kind}.txt`).toString());
  });

  test.each([...new Set(REFUSED.map(({ kind }) => kind))])("%s: what is wrong is refused by both readers", (kind) => {
    const wrong = REFUSED.filter((example) => example.kind === kind);
    for (const { message, because } of wrong) expect(message, because).toMatch(/^(invalid|unimplemented|denied): /);
    const judged = secondReader(kind, "refused.json").trimEnd().split("\n");
    expect(judged.filter((line) => !line.includes(": refused: "))).toEqual([]);
    expect(judged).toHaveLength(wrong.length);
  });
});
