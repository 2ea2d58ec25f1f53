import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./source.ts";

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly version?: string; readonly integrity?: string; readonly inBundle?: boolean } & Manifest>
  >;
}

const read = (path: string) => JSON.parse(readFileSync(join(ROOT, path), "utf8"));

test.each(["", "scripts/tools/"])(
  "%spackage.json: every package is pinned exactly, and locked with its digest",
  (folder) => {
    const manifest: Manifest = read(`${folder}package.json`);
    const lock: Lock = read(`${folder}package-lock.json`);
    const wanted = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
    for (const [name, version] of Object.entries(wanted)) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
      expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version);
    }
    for (const [path, entry] of Object.entries(lock.packages)) {
      if (path !== "" && !entry.inBundle) expect(entry.integrity, path).toMatch(/^sha512-/);
    }
  },
);

test("every package the product uses has a line in docs/dependencies.md", () => {
  const manifest: Manifest = read("package.json");
  const page = readFileSync(join(ROOT, "docs/dependencies.md"), "utf8");
  const names = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
