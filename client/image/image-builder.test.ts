import { mkdirSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeManifest, type Manifest, manifestDigest, parseManifest } from "../../proto/image/manifest.ts";
import { recordsOfTree } from "../../proto/tree/compare/records-of-tree.ts";
import type { TarEntry, TarHandler } from "../../proto/tree/tar/entry.ts";
import { TarReader } from "../../proto/tree/tar/reader.ts";
import {
  honestArchives,
  meetingEntries,
  mutated,
  mutation,
  unpackHarmlessly,
} from "../../proto/tree/testing/archive-properties.ts";
import { type RawEntry, rawTar } from "../../proto/tree/testing/raw-tar.ts";
import { makeRichTree } from "../../proto/tree/testing/rich-tree.ts";
import { makeScratch, run } from "../../proto/tree/testing/scratch.ts";
import { tarOfTree } from "../../proto/tree/walk/tar-of-tree.ts";
import { built, differences, imageOfFolder, imageOfTar, recordsOf } from "./testing/built.ts";

const OWNER = process.getuid?.() === 0;

async function ourTar(root: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of tarOfTree(root)) pieces.push(piece);
  return Buffer.concat(pieces);
}

type Told = (handler: TarHandler) => void;

/** What a handler is told of each entry of an archive. */
function tellings(archive: Uint8Array): { readonly entry: TarEntry; readonly tell: Told }[] {
  const found: { entry: TarEntry; data: { bytes: Buffer; offset: number }[] }[] = [];
  const reader = new TarReader({
    entry: (entry) => found.push({ entry, data: [] }),
    data: (bytes, offset) => found.at(-1)?.data.push({ bytes: Buffer.from(bytes), offset }),
    done: () => undefined,
  });
  reader.push(archive);
  reader.end();
  return found.map(({ entry, data }) => ({
    entry,
    tell: (handler) => {
      handler.entry(entry);
      for (const { bytes, offset } of data) handler.data(bytes, offset);
      handler.done();
    },
  }));
}

function shuffled<Item>(items: readonly Item[], seeds: readonly number[]): Item[] {
  const order = items.map((item, index) => ({ item, seed: seeds[index % seeds.length] ?? 0, index }));
  return order
    .sort((one, other) => ((one.seed * 31 + one.index) % 97) - ((other.seed * 31 + other.index) % 97))
    .map(({ item }) => item);
}

describe.runIf(OWNER)("one tree, one digest", () => {
  test("from a folder, from an archive, and from an archive in any order", async () => {
    using scratch = makeScratch();
    makeRichTree(scratch.path);
    using image = await imageOfFolder(scratch.path);
    expect(differences(recordsOfTree(scratch.path), recordsOf(image))).toEqual([]);
    const archive = await ourTar(scratch.path);
    using same = await imageOfTar(archive);
    expect(same.digest).toBe(image.digest);
    const all = tellings(archive);
    const [links, rest] = [
      all.filter(({ entry }) => entry.type === "hardlink"),
      all.filter(({ entry }) => entry.type !== "hardlink"),
    ];
    const property = fc.asyncProperty(fc.array(fc.nat(1000), { minLength: 7, maxLength: 40 }), async (seeds) => {
      using again = await built((builder) => {
        for (const { tell } of [...shuffled(rest, seeds), ...shuffled(links, seeds)]) tell(builder);
      });
      expect(again.digest).toBe(image.digest);
    });
    await fc.assert(property, { numRuns: 15 });
  });

  test.each(["0.0", "0.1", "1.0"])("from GNU tar's pax archive, sparse files as version %s", async (version) => {
    using scratch = makeScratch();
    makeRichTree(scratch.path);
    using image = await imageOfFolder(scratch.path);
    const words = ["--format=pax", "--sparse", `--sparse-version=${version}`, "--numeric-owner"];
    const attributes = ["--xattrs", "--xattrs-include=*", "--acls"];
    using found = await imageOfTar(run(["tar", "--create", ...words, ...attributes, "-C", scratch.path, "."]));
    // It keeps no attributes of links and devices.
    expect(digestWithout(found.manifest)).toBe(digestWithout(image.manifest));
  });

  test("a file's holes are what its content says, whatever told of them", async () => {
    using scratch = makeScratch();
    mkdirSync(scratch.under("a"));
    run(["truncate", "-s", "1M", scratch.under("a/file")]);
    run(["dd", `of=${scratch.under("a/file")}`, "bs=1", "seek=70001", "conv=notrunc"], Buffer.alloc(9000, 1));
    using image = await imageOfFolder(scratch.under("a"));
    const file = image.manifest.entries.find(({ path }) => path === "file");
    expect(file?.segments).toEqual([{ offset: 69_632, size: 12_288 }]);
    const gnu = run([
      "tar",
      "--create",
      "--sparse",
      "--format=gnu",
      "--numeric-owner",
      "--mtime=@5",
      "-C",
      scratch.under("a"),
      ".",
    ]);
    using other = await imageOfTar(gnu);
    expect(other.manifest.entries.find(({ path }) => path === "file")?.segments).toEqual(file?.segments);
  });
});

function digestWithout({ objects, entries }: Manifest): string {
  const stripped = entries.map((entry) =>
    entry.type === "file" || entry.type === "directory" ? entry : { ...entry, xattrs: [] },
  );
  return manifestDigest(encodeManifest({ objects, entries: stripped }));
}

test("the digest is the same on every machine", async () => {
  using image = await imageOfTar(
    rawTar([
      { name: "./", type: "5", mode: 0o755, seconds: 1 },
      { name: "./b", content: "content", mode: 0o4755, uid: 7, gid: 8, seconds: 1_700_000_000 },
      { name: "./a/link", type: "1", link: "b" },
      { name: "./a\xff", type: "2", link: "b", pax: { mtime: "5.123456789" } },
      {
        name: "./c",
        type: "3",
        major: 1,
        minor: 3,
        pax: { "SCHILY.acl.access": "user::rw-,user:9:r--,group::r--,other::---" },
      },
    ]),
  );
  expect(image.digest).toBe("97a900696b55605ca1a45526d39a7027389298e99c6b56f0652e90752612a657");
  expect(encodeManifest(parseManifest(image.raw)).equals(image.raw)).toBe(true);
});

test("objects are cut each 4 MiB and kept once", async () => {
  const content = Buffer.alloc(9 << 20, 7);
  using image = await imageOfTar(
    rawTar([
      { name: "a", content },
      { name: "b", content: content.subarray(0, 5 << 20) },
    ]),
  );
  const lengths = image.manifest.objects.map(({ length }) => length);
  expect(lengths).toEqual([4 << 20, 1 << 20]);
  expect(image.manifest.entries.map(({ objects }) => objects)).toEqual([[], [0, 0, 1], [0, 1]]);
  expect(image.contentBytes).toBe(14 << 20);
});

describe("what meets in an archive", () => {
  const paths = async (entries: readonly RawEntry[]) => {
    using image = await imageOfTar(rawTar(entries));
    return image.manifest.entries.map(({ path, type }) => `${path}:${type}`);
  };

  test("a name replaced leaves the other names of its file what they were", async () => {
    using image = await imageOfTar(
      rawTar([
        { name: "a", content: "1" },
        { name: "b", type: "1", link: "a" },
        { name: "c", type: "1", link: "a" },
        { name: "a", content: "22" },
      ]),
    );
    expect(image.manifest.entries.map(({ path, type, size, target }) => [path, type, size, target])).toEqual([
      ["", "directory", 0, 0],
      ["a", "file", 2, 0],
      ["b", "file", 1, 0],
      ["c", "hardlink", 0, 2],
    ]);
  });

  test("a file in a folder's place takes all below it away", async () => {
    expect(await paths([{ name: "a/b/c" }, { name: "a", content: "x" }])).toEqual([":directory", "a:file"]);
  });

  test.runIf(OWNER)("what it takes is what unpacking makes, and what it refuses unpacking refuses", async () => {
    using scratch = makeScratch();
    const property = fc.asyncProperty(meetingEntries, async (entries) => {
      const archive = rawTar(entries);
      const unpacked = await unpackHarmlessly(scratch.path, archive);
      const image = await imageOfTar(archive).catch((error: unknown) => error);
      if (unpacked !== undefined || image instanceof Error) {
        expect({ image, unpacked }).toMatchObject({ image: { name: "HpsError" }, unpacked: { name: "HpsError" } });
        return;
      }
      using found = image as Awaited<ReturnType<typeof imageOfTar>>;
      const made = new Set(
        found.manifest.entries
          .filter(({ mtime, type }) => type === "directory" && mtime === 0n)
          .map(({ path }) => path),
      );
      const [is, says] = [recordsOfTree(scratch.under("target")), recordsOf(found)];
      const without = (records: typeof is) => new Map([...records].filter(([path]) => !made.has(path)));
      expect(differences(without(is), without(says))).toEqual([]);
    });
    await fc.assert(property, { numRuns: 150 });
  });
});

describe("refused by name", () => {
  test.each<readonly [string, RawEntry[], string]>([
    ["an absolute path", [{ name: "/etc/passwd" }], '"/etc/passwd", which begins with a slash'],
    ["a path that climbs", [{ name: "a/../../b" }], '"a/../../b", which climbs out by ..'],
    ["an entry below a link", [{ name: "a", type: "2", link: "/etc" }, { name: "a/passwd" }], '"a/passwd" below "a"'],
    ["a hard link that climbs", [{ name: "a", type: "1", link: "../b" }], "climbs out by .."],
    ["a hard link to nothing", [{ name: "a", type: "1", link: "b" }], '"a": it is a hard link to "b"'],
    [
      "a hard link to a folder",
      [
        { name: "b", type: "5" },
        { name: "a", type: "1", link: "b" },
      ],
      '"a": it is a hard link to "b"',
    ],
    ["a root that is no folder", [{ name: ".", type: "2", link: "a" }], '"." is no folder'],
    ["a name no file system takes", [{ name: "x", pax: { path: "n".repeat(256) } }], "longer than 255 bytes"],
    [
      "an access list of strangers",
      [{ name: "x", pax: { "SCHILY.acl.access": "user:eve:rwx" } }],
      'names the user "eve"',
    ],
  ])("%s", async (_, entries, says) => {
    await expect(imageOfTar(rawTar(entries))).rejects.toMatchObject({
      code: "invalid",
      message: expect.stringContaining(says),
    });
  });

  test("more than the limits", async () => {
    const archive = rawTar([{ name: "a", content: "x".repeat(100) }, { name: "b" }]);
    const limited = (limits: object) => imageOfTar(archive, { limits });
    await expect(limited({ bytes: 99 })).rejects.toMatchObject({ code: "exhausted" });
    await expect(limited({ entries: 1 })).rejects.toMatchObject({ code: "exhausted" });
  });
});

test.runIf(OWNER)(
  "whatever is damaged in an archive, there is an image that its format takes, or a refusal",
  async () => {
    using scratch = makeScratch();
    const archives = await honestArchives(scratch.path);
    const property = fc.asyncProperty(mutation, async (how) => {
      const image = await imageOfTar(mutated(archives[how.which] ?? Buffer.alloc(0), how)).catch(
        (error: unknown) => error,
      );
      if (image instanceof Error) expect(image.name).toBe("HpsError");
    });
    await fc.assert(property, { numRuns: 60 });
  },
);

test("of a file of 8 GB with holes, its data alone is read", async () => {
  using scratch = makeScratch();
  run(["truncate", "-s", "8G", scratch.under("disk")]);
  for (const at of [0, 1000, 2_000_000])
    run(["dd", `of=${scratch.under("disk")}`, "bs=4k", `seek=${at}`, "conv=notrunc"], Buffer.alloc(4096, 1));
  using image = await imageOfFolder(scratch.path);
  expect(image.manifest.entries[1]).toMatchObject({ size: 8 * 2 ** 30, objects: [0] });
  expect(image.contentBytes).toBe(3 * 4096);
});
