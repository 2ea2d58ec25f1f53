import { expect, test } from "vitest";
import { allSources, isTest, loadsOf } from "./source.ts";

/** What they need of packages; all else they load is ours. A thread is begun for each upload, each file that is verified, each image. */
const THREADS: Readonly<Record<string, readonly string[]>> = {
  "server/core/images/upload-worker.ts": [],
  "server/core/images/library-worker.ts": [],
  "installer-agent/image/unpack-worker.ts": ["koffi"],
  "server/store/store-worker.ts": ["better-sqlite3"],
  "server/core/shells/screen-worker.ts": ["@xterm/headless", "@xterm/addon-serialize/lib/addon-serialize.js"],
};

const sources = new Map(allSources().map((source) => [source.path, source]));

/** Packages that a file loads, and by which of ours. */
function loaded(path: string, seen = new Set<string>()): string[] {
  const source = sources.get(path);
  if (source === undefined || seen.has(path)) return [];
  seen.add(path);
  const { files, packages } = loadsOf(source);
  const own = packages.filter((name) => !name.startsWith("node:"));
  return [...own.map((name) => `${name} by ${path}`), ...files.flatMap((file) => loaded(file, seen))];
}

test.each(Object.entries(THREADS))("%s loads no package but these: %j", (path, known) => {
  expect(sources.has(path)).toBe(true);
  expect(loaded(path).filter((name) => !known.some((wanted) => name.startsWith(`${wanted} `)))).toEqual([]);
});

test("every thread is listed", () => {
  const workers = [...sources.values()].filter(({ path, text }) => /\bparentPort\b/.test(text) && !isTest(path));
  expect(workers.map(({ path }) => path).sort()).toEqual(Object.keys(THREADS).sort());
});
