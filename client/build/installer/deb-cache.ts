import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileDigest } from "../../../proto/flow/file-digest.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { dropUnused, markUsed } from "./aged-files.ts";
import type { AptRoot, DebianPackage } from "./apt-root.ts";

/** Package files that were brought before, by digest; a file is checked each time it is used. */
export class DebCache {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  path({ sha256 }: DebianPackage): string {
    return join(this.#folder, `${sha256}.deb`);
  }

  /** Brings what is missing or spoilt; `apt` is asked only then. */
  async bring(packages: readonly DebianPackage[], apt: () => Promise<AptRoot>): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const missing: DebianPackage[] = [];
    for (const one of packages) {
      if (await this.#has(one)) await markUsed(this.path(one));
      else missing.push(one);
    }
    await dropUnused(this.#folder);
    if (missing.length === 0) return;
    const into = await mkdtemp(join(this.#folder, "incoming-"));
    try {
      await this.#download(await apt(), missing, into);
      await this.#adopt(missing, into);
    } finally {
      await rm(into, { recursive: true, force: true });
    }
  }

  async #has(one: DebianPackage): Promise<boolean> {
    try {
      return (await fileDigest(this.path(one))) === one.sha256;
    } catch {
      return false;
    }
  }

  async #download(apt: AptRoot, missing: readonly DebianPackage[], into: string): Promise<void> {
    try {
      await apt.download(missing, into);
    } catch (cause) {
      if (!(cause instanceof HpsError) || cause.code !== "precondition") throw cause;
      const names = missing.map(({ name, version }) => `${name} ${version}`);
      throw new HpsError("not-found", `these packages cannot be had: ${names.slice(0, 8).join(", ")}`, {
        hint: `is the archive reachable? It drops old versions: --mirror can name a snapshot of it, or build without --lock (${cause.message})`,
        cause,
      });
    }
  }

  async #adopt(missing: readonly DebianPackage[], into: string): Promise<void> {
    const found = new Map<string, string>();
    for (const name of await readdir(into)) found.set(await fileDigest(join(into, name)), join(into, name));
    for (const one of missing) {
      const file = found.get(one.sha256);
      if (file === undefined) {
        throw new HpsError(
          "data-loss",
          `the archive's ${one.name} ${one.version} is not the one with SHA-256 ${one.sha256}`,
          {
            hint: "the lock names another file of the same version: do not trust one of them before you know why",
          },
        );
      }
      await rename(file, this.path(one));
    }
  }
}
