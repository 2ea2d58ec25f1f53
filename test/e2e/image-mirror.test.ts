import { readFileSync, statSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { unpackImage } from "../../installer-agent/image/unpack-image.ts";
import { filesOf } from "../../installer-agent/link/files.ts";
import { FileDoor } from "../../installer-agent/testing/file-door.ts";
import { imageOfTree, type TestImage } from "../../installer-agent/testing/image-of-tree.ts";
import { differences, MEBI, makeTree, makeTrees, optionsFor } from "../../installer-agent/testing/unpack-rig.ts";
import { parseMirrorUrl } from "../../proto/values/mirror-url.ts";
import { Room } from "../../server/core/files/room.ts";
import { LibraryFiles } from "../../server/core/images/library-files.ts";
import { freePorts } from "../faults/real-hpsd.ts";
import { type Nginx, startNginx } from "../lab/nginx.ts";

const OWNER = process.getuid?.() === 0;

/** Stands for hpsd: TLS, client certificates, ranges; it has everything. */
let door: FileDoor;
let trees: ReturnType<typeof makeTrees>;
let image: TestImage;
let nginx: Nginx | undefined;
beforeEach(async () => {
  door = await FileDoor.open();
  trees = makeTrees();
  makeTree(trees.source);
  image = await imageOfTree(trees.source, { framesAPack: 2 });
  for (const [digest, content] of image.contents) door.files.set(`/files/v1/${digest}`, content);
});
afterEach(async () => {
  await nginx?.[Symbol.asyncDispose]();
  nginx = undefined;
  await door.close();
  trees[Symbol.dispose]();
});

/** A mirror that has what hpsd has of packs, in the folders where hpsd has it. */
async function openMirror(options: { readonly rate?: string; readonly more?: string } = {}): Promise<Nginx> {
  const folder = trees.under("nginx");
  nginx = await startNginx({ folder, pair: await door.serverPair(), ...options });
  const library = await LibraryFiles.open(join(folder, "srv"), new Room(folder));
  for (const pack of image.files.packs) {
    writeFileSync(library.stored("packs", pack).path, image.contents.get(pack.digest) ?? "", { mode: 0o600 });
  }
  return nginx;
}

const packPath = (mirror: Nginx, number: number) =>
  join(mirror.folder, "srv/packs", image.files.packs[number]?.digest ?? "");

/** An agent's whole way from URL to tree. Gives what it logged, and which packs hpsd was asked for, from which byte. */
async function install(urls: readonly string[], onProgress: (done: number) => void = () => undefined) {
  const files = filesOf({ identity: await door.identity(), backoff: { min: 10, max: 50 }, idleMs: 5000 });
  const spans = files.open(urls.map(parseMirrorUrl));
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  try {
    await unpackImage(optionsFor(image, trees.target, { spans, log, progress: onProgress }));
  } finally {
    spans.close();
  }
  expect(differences(trees.source, trees.target)).toEqual([]);
  const packs = image.files.packs.map(({ digest }) => `/files/v1/${digest}`);
  const asked = door.asks.map((ask) => ask.split(" ")).filter(([path = ""]) => packs.includes(path));
  const fromHpsd = asked.map(([path = "", range = ""]) => ({
    pack: packs.indexOf(path),
    from: Number(/^bytes=(\d+)-/.exec(range)?.[1]),
  }));
  return { lines, fromHpsd, log: lines.join("\n") };
}

const at = ({ port }: Nginx) => `https://localhost:${port}/hps`;

describe.runIf(OWNER)("nginx as it is documented", () => {
  test("gives all packs; the manifest comes from hpsd, and no digest is logged", async () => {
    const mirror = await openMirror();
    const { lines, fromHpsd } = await install([at(mirror)]);
    expect({ lines, fromHpsd }).toEqual({ lines: [], fromHpsd: [] });
    expect(door.asks.map((ask) => ask.split(" ")[0])).toEqual([`/files/v1/${image.files.manifest.digest}`]);
    for (const log of ["access.log", "error.log"]) expect(readFileSync(join(mirror.folder, log), "utf8")).toBe("");
  });

  test("gives nothing else, and lists nothing", async () => {
    const mirror = await openMirror();
    const [pack] = image.files.packs;
    const digest = pack?.digest ?? "";
    const other = "0".repeat(64);
    symlinkSync("/etc/passwd", join(mirror.folder, "srv/packs", other));
    writeFileSync(join(mirror.folder, "srv/manifests", image.files.manifest.digest), "x");
    const paths = ["/", "/hps", "/hps/", "/packs/", `/packs/${digest}`, `/hps/packs/${digest}`, `/hps/${digest}/`];
    paths.push(
      `/hps/${image.files.manifest.digest}`,
      "/hps/../../pair.key",
      `/hps/${digest.toUpperCase()}`,
      `/hps/${other}`,
    );
    const answers = await Promise.all(paths.map(async (path) => (await ask(mirror, path)).status));
    expect(new Set(answers)).toEqual(new Set([404, 400]));
    writeFileSync(join(mirror.folder, "srv/deltas", "d".repeat(64)), "delta");
    expect(String((await ask(mirror, `/hps/${"d".repeat(64)}`)).body)).toBe("delta");
    for (const method of ["PUT", "DELETE", "POST"]) {
      expect([403, 405]).toContain((await ask(mirror, `/hps/${digest}`, { method })).status);
    }
    const part = await ask(mirror, `/hps/${digest}`, { headers: { range: "bytes=3-9", "accept-encoding": "gzip" } });
    expect(part).toMatchObject({
      status: 206,
      headers: {
        "content-range": `bytes 3-9/${pack?.sizeBytes}`,
        "cache-control": expect.stringContaining("immutable"),
      },
    });
    expect(part.headers["content-encoding"]).toBeUndefined();
    expect(part.body.equals((image.contents.get(digest) ?? Buffer.alloc(0)).subarray(3, 10))).toBe(true);
  });
});

describe.runIf(OWNER)("a mirror that", () => {
  test("is killed in the middle: hpsd is asked for what follows the last byte", async () => {
    const mirror = await openMirror({ rate: "4m" });
    const { fromHpsd, log } = await install([at(mirror)], (done) => done > MEBI && mirror.kill());
    expect(log).toMatch(/after \d.* of .*; going on from https:\/\/localhost:/);
    // A good part of one pack had come, and is not asked for again.
    expect(Math.max(...fromHpsd.map(({ from }) => from))).toBeGreaterThan(MEBI);
    const begun = fromHpsd.find(({ from }) => from > MEBI && from < (image.files.packs[0]?.indexOffset ?? 0));
    expect(begun).toBeDefined();
  });

  test("sends wrong bytes is asked no more, and none of them is written", async () => {
    const mirror = await openMirror();
    const path = packPath(mirror, 0);
    const bytes = readFileSync(path);
    bytes.fill(7, 5 * MEBI, 5 * MEBI + 10);
    writeFileSync(path, bytes);
    const { log, fromHpsd } = await install([at(mirror)]);
    expect(log).toMatch(/asking another server/);
    expect(fromHpsd.length).toBeGreaterThan(0);
  });

  test("lacks a pack, or has it cut short: hpsd is asked for that one alone", async () => {
    const mirror = await openMirror();
    unlinkSync(packPath(mirror, 0));
    truncateSync(packPath(mirror, 1), statSync(packPath(mirror, 1)).size - 1);
    const { log, fromHpsd } = await install([at(mirror)]);
    expect(new Set(fromHpsd.map(({ pack }) => pack))).toEqual(new Set([0, 1]));
    expect(log).toContain("answers with status 404");
    expect(log).toContain("with another length");
  });

  test("sends to another address is not followed; the next one is asked, plain as it is", async () => {
    const [moved = 0, elsewhere = 0] = await freePorts(2);
    const files = (more: string) => `location ~ "^/hps/(?<d>[0-9a-f]+)$" { ${more} try_files /packs/$d =404; }`;
    const root = `root ${trees.under("nginx")}/srv;`;
    const mirror = await openMirror({
      more: `
        server { listen 127.0.0.1:${moved}; location / { return 307 http://127.0.0.1:${elsewhere}$request_uri; } }
        server { listen 127.0.0.1:${elsewhere}; ${root} ${files("")} }`,
    });
    const followed = await install([`http://127.0.0.1:${moved}/hps`]);
    expect(followed.log).toContain("answers with status 307");
    expect(new Set(followed.fromHpsd.map(({ pack }) => pack))).toEqual(new Set(image.files.packs.keys()));
    const log = readFileSync(join(mirror.folder, "access.log"), "utf8");
    expect(log).toContain(" 307 ");
    expect(log).not.toMatch(/ (200|206) /);
  });
});

describe.runIf(OWNER)("an object store, which answers as S3 does,", () => {
  /** Bucket and key are the path, errors are XML, of an object that is not there nothing is told; `limit` stands before all of it. */
  async function openStore(limit = ""): Promise<{ readonly url: string; readonly log: () => string }> {
    const [port = 0] = await freePorts(1);
    const log = join(trees.under("nginx"), "store.log");
    const xml = (code: string) => `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code></Error>`;
    const error = (name: string, status: number, code: string) =>
      `location @${name} { internal; default_type application/xml; return ${status} '${xml(code)}'; }`;
    await openMirror({
      more: `
        server {
          listen 127.0.0.1:${port};
          root ${trees.under("nginx")}/srv;
          access_log ${log};
          default_type binary/octet-stream;
          add_header x-amz-request-id 4442587FB7D0A2F9 always;
          etag on;
          ${error("denied", 403, "AccessDenied")}
          ${error("slow", 503, "SlowDown")}
          location ~ "^/images/hps/(?<key>[^/]+)$" {
            ${limit}
            recursive_error_pages on;
            error_page 404 = @denied;
            error_page 503 = @slow;
            limit_except GET { deny all; }
            try_files /packs/$key /deltas/$key =404;
          }
          location / { error_page 404 = @denied; return 404; }
        }`,
    });
    return { url: `http://127.0.0.1:${port}/images/hps`, log: () => readFileSync(log, "utf8") };
  }

  test("gives all packs, by ranges", async () => {
    const { url, log } = await openStore();
    const { lines, fromHpsd } = await install([url]);
    expect({ lines, fromHpsd }).toEqual({ lines: [], fromHpsd: [] });
    expect(log()).toMatch(/ 206 /);
    expect(log()).not.toMatch(/ (403|404) /);
  });

  test("says 403 of a key that it lacks: hpsd is asked for that pack alone", async () => {
    const { url, log } = await openStore();
    unlinkSync(join(trees.under("nginx"), "srv/packs", image.files.packs[1]?.digest ?? ""));
    const absent = await fetch(`${url}/${"0".repeat(64)}`);
    expect(absent.headers.get("content-type")).toBe("application/xml");
    expect(await absent.text()).toContain("<Code>AccessDenied</Code>");
    const { log: said, fromHpsd } = await install([url]);
    expect(said).toContain("answers with status 403");
    expect(new Set(fromHpsd.map(({ pack }) => pack))).toEqual(new Set([1]));
    expect(log()).toMatch(/ 206 /);
  });

  test("is too busy for anybody: hpsd is asked from then on", async () => {
    const { url } = await openStore("return 503;");
    const { log: said, fromHpsd } = await install([url]);
    expect(said).toContain("answers with status 503");
    expect(new Set(fromHpsd.map(({ pack }) => pack))).toEqual(new Set(image.files.packs.keys()));
  });
});

interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function ask({ port }: Nginx, path: string, options: Ask = {}) {
  const { contact } = await door.identity();
  return await new Promise<{
    readonly status: number;
    readonly headers: Readonly<Record<string, unknown>>;
    readonly body: Buffer;
  }>((resolve, reject) => {
    const to = { host: "localhost", port, path, ca: contact.rootCertificate, agent: false, ...options };
    const outgoing = request(to, async (response) => {
      const body = Buffer.concat(await Array.fromAsync(response));
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
