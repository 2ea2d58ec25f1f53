import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

export const ROOT = new URL("../..", import.meta.url).pathname;

/** One file of ours as the tests of this folder see it. Paths are relative to the repository, with slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
  /** Of our own files: `proto/values/mac.ts`. */
  readonly files: readonly string[];
  /** Of packages and of Node: `kysely`, `node:fs`. */
  readonly packages: readonly string[];
}

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\b[^;"']*?from\s+["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)|(?:^|\n)import\s+["']([^"']+)["']/g;

const TYPES_ALONE = /(?:^|\n)\s*(?:import|export) type\b[^;"']*?from\s+["'][^"']+["'];?/g;

function sourceOf(path: string): Source {
  const text = readFileSync(join(ROOT, path), "utf8");
  return { path, text, ...importsOf(path, text) };
}

/** What it loads where it runs: types are gone then. */
export function loadsOf({ path, text }: Source): Pick<Source, "files" | "packages"> {
  return importsOf(path, text.replaceAll(TYPES_ALONE, "\n"));
}

function importsOf(path: string, text: string): Pick<Source, "files" | "packages"> {
  const targets = [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
  const own = targets.filter((target) => target.startsWith("."));
  return {
    files: own.map((target) => normalize(join(dirname(path), target))),
    packages: targets.filter((target) => !target.startsWith(".")),
  };
}

/** Every TypeScript file that git knows or would take, but for generated code. */
export function allSources(): readonly Source[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.ts"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const gone = new Set(
    execFileSync("git", ["ls-files", "--deleted", "*.ts"], { cwd: ROOT, encoding: "utf8" }).split("\n"),
  );
  return listed
    .split("\n")
    .filter((path) => path !== "" && !path.startsWith("proto/gen/") && !gone.has(path))
    .map(sourceOf);
}

export function isTest(path: string): boolean {
  return path.startsWith("test/") || path.endsWith(".test.ts") || path.includes("/testing/");
}

/** Whether `path` is `place` or lies in the folder `place`. */
export function isIn(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}
