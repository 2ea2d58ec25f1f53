import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { expect, test } from "vitest";
import { allSources, isIn, isTest, ROOT } from "./source.ts";

const sources = allSources();
const product = sources.filter(({ path }) => !isTest(path));

const TOP = [
  "CONTRIBUTING.md",
  "LICENSE",
  "README.md",
  "certs",
  "client",
  "docs",
  "installer-agent",
  "package-lock.json",
  "package.json",
  "proto",
  "scripts",
  "server",
  "test",
  "tsconfig.json",
];

test("nothing stands at the top that was not agreed on", () => {
  const made = ["node_modules", "dist"];
  const found = readdirSync(ROOT).filter(
    (name) => !name.startsWith(".") && !made.includes(name) && !name.endsWith(".tgz"),
  );
  expect(found.filter((name) => !TOP.includes(name))).toEqual([]);
});

test("a file's name says its one subject, in kebab-case", () => {
  const vague = /^(utils?|helpers?|misc|common|manager|index|types)\.ts$/;
  const named = sources
    .map(({ path }) => path)
    .filter((path) => {
      const name = basename(path);
      return (
        vague.test(name) || !/^[a-z0-9]+(-[a-z0-9]+)*((\.slow)?\.test|\.config|\.bench|\.fuzz|\.d)?\.ts$/.test(name)
      );
    });
  expect(named).toEqual([]);
});

test("only a program's main.ts reads the environment and the arguments, and ends the process", () => {
  const grasping = /\bprocess\.(env|argv|exit)\b/;
  expect(
    product
      .filter(({ path, text }) => basename(path) !== "main.ts" && !isIn(path, "scripts") && grasping.test(codeOf(text)))
      .map(({ path }) => path),
  ).toEqual([]);
});

test("the median file stays small", () => {
  for (const program of ["server", "client", "installer-agent"]) {
    const lengths = product.filter(({ path }) => isIn(path, program)).map(({ text }) => text.split("\n").length);
    const median = lengths.sort((a, b) => a - b)[Math.floor(lengths.length / 2)] ?? 0;
    expect(median, `median of ${program}`).toBeLessThanOrEqual(100);
  }
});

test("a type is asserted only where bytes become values, and each place says why", () => {
  const assertion = /\bas (?!const\b)[A-Z([{"'a-z]/;
  const unexplained = product.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index, lines) => {
      const code = line.replace(/\/\/.*$/, "").replace(/"[^"]*"|`[^`]*`/g, '""');
      const isImport =
        /^\s*(import|export)\b|^\s*(type )?[\w$]+ as [\w$]+,?$/.test(line) || /^\s*(\*|\/\*|#)/.test(line);
      if (isImport || !assertion.test(code) || /\.as\(/.test(code)) return [];
      const explained = /\/\//.test(line) || /\/\//.test(lines[index - 1] ?? "") || /\*\//.test(lines[index - 1] ?? "");
      return explained ? [] : [`${path}:${index + 1}: ${line.trim()}`];
    }),
  );
  expect(unexplained).toEqual([]);
});

test("nothing is left for later without an issue", () => {
  const left = product.filter(({ text }) => /\b(TODO|FIXME|XXX|HACK)\b/.test(text)).map(({ path }) => path);
  expect(left).toEqual([]);
});

/** Without comments: what they name is not used. */
function codeOf(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
}
