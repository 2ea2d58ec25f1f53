import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MACHINE_FILES } from "./machine-files.ts";

const cwd = new URL("../..", import.meta.url).pathname;

test("the files that can start a virtual machine are those of the project `machines`", () => {
  const starting = globSync("test/{e2e,faults}/*.test.ts", { cwd }).filter((file) =>
    /from "\.\.\/lab\/(install-rack|vm\/(vm|slots))\.ts"/.test(readFileSync(`${cwd}${file}`, "utf8")),
  );
  expect(starting.length).toBeGreaterThan(5);
  expect(starting.sort()).toEqual(globSync(MACHINE_FILES, { cwd }).sort());
});
