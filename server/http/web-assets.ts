import { hash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { HpsError } from "../../proto/values/hps-error.ts";

/** One file of the page. */
export interface WebAsset {
  readonly type: string;
  readonly etag: string;
  readonly body: Buffer;
  readonly zipped: Buffer;
}

/** By file name; the page itself is `page.html`. */
export type WebFiles = Readonly<Record<string, Uint8Array>>;

const TYPES: Readonly<Record<string, string>> = {
  "page.html": "text/html; charset=utf-8",
  "terminal.js": "text/javascript; charset=utf-8",
  "terminal.css": "text/css; charset=utf-8",
  "icon.svg": "image/svg+xml",
};

/** The page's files, read or bundled when the first of them is asked for, and kept. */
export class WebAssets {
  #loaded: Promise<ReadonlyMap<string, WebAsset>> | undefined;

  /** Undefined for a file that is not one of them. */
  async get(name: string): Promise<WebAsset | undefined> {
    this.#loaded ??= load().catch((error: unknown) => {
      this.#loaded = undefined;
      throw error;
    });
    return (await this.#loaded).get(name);
  }
}

async function load(): Promise<ReadonlyMap<string, WebAsset>> {
  const files = (await packedFiles()) ?? (await bundledFiles());
  const assets = Object.entries(TYPES).map(async ([name, type]): Promise<[string, WebAsset]> => {
    const content = files[name];
    if (content === undefined) throw new HpsError("internal", `the web page has no ${name}`);
    const body = Buffer.from(content);
    const etag = `"${hash("sha256", body, "hex").slice(0, 32)}"`;
    return [name, { type, etag, body, zipped: await promisify(gzip)(body, { level: 9 }) }];
  });
  return new Map(await Promise.all(assets));
}

/** Beside hpsd's own bundle, in the package. Undefined in a checkout. */
async function packedFiles(): Promise<WebFiles | undefined> {
  const folder = path.join(import.meta.dirname, "web");
  const read = Object.keys(TYPES).map(async (name) => [name, await readFile(path.join(folder, name))] as const);
  return await Promise.all(read).then(Object.fromEntries, () => undefined);
}

/** From the sources of this checkout. */
async function bundledFiles(): Promise<WebFiles> {
  const { bundleWeb } = await import("./web-bundle.ts");
  return await bundleWeb(path.join(import.meta.dirname, "web"));
}
