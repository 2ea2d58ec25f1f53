import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { lstat, mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { DebianPackage } from "./apt-root.ts";
import { type ProgramPlace, runProgram } from "./run-program.ts";

/** The packages of a build unpacked, each in a folder of its own; remembers which of them gave something. */
export class Unpacked {
  readonly folder: string;
  readonly #packages: readonly DebianPackage[];
  readonly #used = new Set<string>();

  constructor(folder: string, packages: readonly DebianPackage[]) {
    this.folder = folder;
    this.#packages = packages;
  }

  /** The packages something was taken from, by name. */
  get used(): readonly DebianPackage[] {
    return this.#packages.filter(({ name }) => this.#used.has(name));
  }

  /** A package's own folder. `not-found` when the build has no such package. */
  root(name: string): string {
    if (!this.#packages.some((one) => one.name === name)) throw lacking(`no package ${name}`);
    this.#used.add(name);
    return join(this.folder, name);
  }

  /** Where the file at `path` of the unpacked system really is, links followed; with and without /usr before it. */
  find(path: string): string | undefined {
    const places = path.startsWith("usr/") ? [path, path.slice(4)] : [path, `usr/${path}`];
    for (const place of places) {
      for (const { name } of this.#packages) {
        const file = this.#resolve(name, place);
        if (file !== undefined) return file;
      }
    }
    return undefined;
  }

  /** As `find`, for what must be there. */
  need(path: string): string {
    const found = this.find(path);
    if (found === undefined) throw lacking(`no file ${path}`);
    return found;
  }

  #resolve(name: string, path: string): string | undefined {
    const file = join(this.folder, name, path);
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) {
      // Never followed by the system, which would take the building machine's own file for an absolute one.
      const found = this.find(resolve("/", dirname(path), readlinkSync(file)).slice(1));
      if (found !== undefined) this.#used.add(name);
      return found;
    }
    if (!stat?.isFile()) return undefined;
    this.#used.add(name);
    return file;
  }
}

function lacking(what: string): HpsError {
  return new HpsError("not-found", `the packages of this build hold ${what}`, {
    hint: "the installer's list of packages does not fit this suite; --suite bookworm is what it is made for",
  });
}

/** Unpacks package files side by side, two at a time. */
export async function unpack(
  packages: readonly { readonly one: DebianPackage; readonly file: string }[],
  folder: string,
  place: ProgramPlace,
): Promise<Unpacked> {
  await mkdir(folder, { recursive: true });
  const waiting = [...packages];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const into = join(folder, next.one.name);
      await runProgram(["dpkg-deb", "--extract", next.file, into], place);
      await lstat(into);
    }
  };
  await Promise.all([worker(), worker()]);
  return new Unpacked(
    folder,
    packages.map(({ one }) => one),
  );
}

/** All files, links and folders below `folder`, by path, sorted by bytes; folders before what is in them. */
export function walk(
  folder: string,
  prefix = "",
): readonly { readonly path: string; readonly kind: "file" | "folder" | "link" }[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true })
    .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
    .flatMap((entry) => {
      const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isSymbolicLink()) return [{ path, kind: "link" as const }];
      return entry.isDirectory()
        ? [{ path, kind: "folder" as const }, ...walk(folder, path)]
        : [{ path, kind: "file" as const }];
    });
}
