import { hash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type RawEntry, rawTar } from "../../../../proto/tree/testing/raw-tar.ts";
import { makeRichTree } from "../../../../proto/tree/testing/rich-tree.ts";
import { makeScratch, run } from "../../../../proto/tree/testing/scratch.ts";
import { tarOfTree } from "../../../../proto/tree/walk/tar-of-tree.ts";
import { built, imageOfFolder, QUIET } from "../../testing/built.ts";
import { type Files, gzipLayer, layoutOf, MANIFEST_TYPE, writeFiles, zstdLayer } from "../../testing/oci-layout.ts";
import { openImageSource } from "../open-source.ts";
import { guessKind } from "../source-kind.ts";

const OWNER = process.getuid?.() === 0;

async function imageAt(path: string, choice: { readonly platform?: string; readonly name?: string } = {}) {
  const { signal } = QUIET;
  const quiet = { disk: {}, say: () => undefined };
  const order = {
    path,
    signal,
    ...quiet,
    environment: { TMPDIR: tmpdir() },
    choice: { platform: "linux/amd64", ...choice },
  };
  await using source = await openImageSource(order);
  return await built((builder) => source.read(builder, QUIET), source.builder);
}

async function imageOf(files: Files, choice = {}) {
  using scratch = makeScratch();
  return await imageAt(writeFiles(scratch.path, files), choice);
}

const layer = (...entries: readonly RawEntry[]) => ({ bytes: rawTar(entries) });

async function pathsOf(...layers: readonly { readonly bytes: Buffer; readonly mediaType?: string }[]) {
  using image = await imageOf(layoutOf({ layers }));
  return image.manifest.entries.slice(1).map(({ path }) => `${path}`);
}

describe("layers laid over each other", () => {
  const lower = layer({ name: "a/one" }, { name: "a/two" }, { name: "a/deep/three" }, { name: "b" });

  test("later ones replace, and take away by whiteouts", async () => {
    expect(await pathsOf(lower, layer({ name: "a/.wh.one" }, { name: ".wh.b" }))).toEqual([
      "a",
      "a/deep",
      "a/deep/three",
      "a/two",
    ]);
    expect(await pathsOf(lower, layer({ name: ".wh.a" }))).toEqual(["b"]);
    expect(await pathsOf(lower, layer({ name: ".wh.none" }))).toHaveLength(6);
  });

  test("an opaque folder keeps what its own layer puts there, before or after", async () => {
    const opaque = layer({ name: "a/new" }, { name: "a/.wh..wh..opq" }, { name: "a/deep/four" });
    expect(await pathsOf(lower, opaque)).toEqual(["a", "a/deep", "a/deep/four", "a/new", "b"]);
  });

  test("a whiteout is of lower layers alone", async () => {
    expect(await pathsOf(lower, layer({ name: "b", content: "new" }, { name: ".wh.b" }))).toContain("b");
    expect(await pathsOf(lower, layer({ name: "a/", type: "5" }, { name: "a/new" }, { name: ".wh.a" }))).toEqual([
      "a",
      "a/new",
      "b",
    ]);
  });

  test("what the layers' storage left there is nothing", async () => {
    expect(await pathsOf(layer({ name: "a" }, { name: ".wh..wh.plnk/5.6" }, { name: ".wh..wh.aufs" }))).toEqual(["a"]);
  });

  test("an entry below a link goes where the link leads inside the tree", async () => {
    const links = layer(
      { name: "usr/bin/", type: "5" },
      { name: "bin", type: "2", link: "/usr/bin" },
      { name: "out", type: "2", link: "../../usr" },
    );
    expect(await pathsOf(links, layer({ name: "bin/sh" }, { name: "out/x" }))).toEqual([
      "bin",
      "out",
      "usr",
      "usr/bin",
      "usr/bin/sh",
      "usr/x",
    ]);
    expect(await pathsOf(links, layer({ name: "bin/sh" }), layer({ name: "bin/.wh.sh" }))).toEqual([
      "bin",
      "out",
      "usr",
      "usr/bin",
    ]);
  });

  test("hard links lead to files of lower layers", async () => {
    using image = await imageOf(
      layoutOf({ layers: [lower, layer({ name: "c", type: "1", link: "a/one" }, { name: "a/.wh.one" })] }),
    );
    expect(image.manifest.entries.at(-1)).toMatchObject({ path: "c", type: "file" });
  });
});

test.runIf(OWNER)(
  "one tree, one digest: plain, gzip and zstd layers, folder and archive of a layout, docker's archive",
  async () => {
    using scratch = makeScratch();
    const at = (name: string) => {
      mkdirSync(scratch.under(name));
      return scratch.under(name);
    };
    makeRichTree(at("tree"));
    using expected = await imageOfFolder(scratch.under("tree"));
    const tar = Buffer.concat(await Array.fromAsync(tarOfTree(scratch.under("tree"))));
    for (const one of [{ bytes: tar }, gzipLayer(tar), zstdLayer(tar)]) {
      using image = await imageOf(layoutOf({ layers: [layer({ name: "gone" }), one, layer({ name: ".wh.gone" })] }));
      expect(image.digest).toBe(expected.digest);
    }
    writeFiles(at("layout"), layoutOf({ layers: [gzipLayer(tar)] }));
    writeFiles(at("docker"), dockerFiles(tar));
    for (const name of ["layout", "docker"]) {
      const archive = run(["tar", "--create", "-C", scratch.under(name), "."]);
      writeFileSync(scratch.under(`${name}.tar`), archive);
      writeFileSync(scratch.under(`${name}.tar.gz`), gzipSync(archive));
      for (const path of [`${name}.tar`, `${name}.tar.gz`].map(scratch.under)) {
        expect(await guessKind(path)).toBe("oci");
        using image = await imageAt(path);
        expect(image.digest).toBe(expected.digest);
      }
    }
  },
);

function dockerFiles(...layers: readonly Buffer[]): Files {
  const ids = layers.map((bytes) => hash("sha256", bytes, "hex"));
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    rootfs: { diff_ids: ids.map((id) => `sha256:${id}`) },
  });
  const name = `${hash("sha256", config, "hex")}.json`;
  const manifest = [{ Config: name, RepoTags: ["x:1"], Layers: ids.map((id) => `${id}/layer.tar`) }];
  const files = layers.map((bytes, index) => [`${ids[index]}/layer.tar`, bytes] as const);
  return new Map([...files, [name, Buffer.from(config)], ["manifest.json", Buffer.from(JSON.stringify(manifest))]]);
}

test.each([
  ["a qcow2 disk", Buffer.from("514649fb00000003", "hex")],
  ["a disk with a boot record", Buffer.concat([Buffer.alloc(510), Buffer.from([0x55, 0xaa])])],
])("%s is known for one", async (_, bytes) => {
  using scratch = makeScratch();
  writeFileSync(scratch.under("disk"), bytes);
  expect(await guessKind(scratch.under("disk"))).toBe("disk");
});

describe("which image of several", () => {
  const both = layoutOf(
    { layers: [layer({ name: "amd" })], name: "one" },
    { layers: [layer({ name: "arm" })], architecture: "arm64", name: "one" },
    { layers: [layer({ name: "other" })], name: "two" },
  );

  test.each([
    [{ platform: "linux/arm64" }, "arm"],
    [{ name: "two" }, "other"],
    [{ name: "one" }, "amd"],
  ])("%o", async (choice, path) => {
    using image = await imageOf(both, choice);
    expect(image.manifest.entries[1]?.path).toBe(path);
  });

  test.each([
    [{}, "several images for linux/amd64: one linux/amd64, two linux/amd64"],
    [{ platform: "linux/s390x" }, 'is for "linux/s390x": it holds one linux/amd64, one linux/arm64, two linux/amd64'],
    [{ name: "three" }, 'is called "three"'],
  ])("%o is refused by name", async (choice, says) => {
    await expect(imageOf(both, choice)).rejects.toThrow(says);
  });
});

describe("what is damaged is refused by name", () => {
  const whole = () => layoutOf({ layers: [gzipLayer(rawTar([{ name: "a", content: "content" }]))] });
  const blobOf = (files: Files, part: string) =>
    [...files].find(([, bytes]) => bytes.toString("latin1").includes(part))?.[0] ?? "";

  test.each([
    ["layer", "\x1f\x8b"],
    ["manifest", '"layers"'],
    ["configuration", '"architecture"'],
  ])("a flipped byte of a %s", async (_, part) => {
    const files = whole();
    const name = blobOf(files, part);
    const bytes = Buffer.from(files.get(name) ?? "");
    bytes[bytes.length - 3] = (bytes[bytes.length - 3] ?? 0) ^ 1;
    files.set(name, bytes);
    await expect(imageOf(files)).rejects.toMatchObject({ name: "HpsError" });
  });

  test("bytes that a layer's archive does not need are of its digest too", async () => {
    const files = layoutOf({ layers: [{ bytes: Buffer.concat([rawTar([{ name: "a" }]), Buffer.alloc(512)]) }] });
    const name = blobOf(files, "ustar");
    const changed = Buffer.from(files.get(name) ?? "");
    changed.write("b", 0);
    changed.write((Number.parseInt(changed.toString("latin1", 148, 154), 8) + 1).toString(8).padStart(6, "0"), 148);
    files.set(name, changed);
    await expect(imageOf(files)).rejects.toMatchObject({
      code: "data-loss",
      message: expect.stringContaining("is not what its digest says"),
    });
  });

  test("a missing blob, one of another length, a layer of another kind, a digest that leads elsewhere", async () => {
    const [lacks, longer, away] = [whole(), whole(), whole()];
    lacks.delete(blobOf(lacks, "\x1f\x8b"));
    await expect(imageOf(lacks)).rejects.toThrow(/lacks "blobs\/sha256\/[0-9a-f]{64}"/);
    const name = blobOf(longer, "\x1f\x8b");
    longer.set(name, Buffer.concat([longer.get(name) ?? Buffer.alloc(0), Buffer.alloc(1)]));
    await expect(imageOf(longer)).rejects.toThrow(/is \d+ bytes, not \d+/);
    await expect(
      imageOf(layoutOf({ layers: [{ bytes: rawTar([]), mediaType: "application/vnd.wasm" }] })),
    ).rejects.toMatchObject({ code: "unimplemented" });
    away.set(
      "index.json",
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          manifests: [{ mediaType: MANIFEST_TYPE, digest: "sha256:../../../etc/passwd", size: 1 }],
        }),
      ),
    );
    await expect(imageOf(away)).rejects.toThrow("is no SHA-256 or SHA-512");
  });

  test.each([["../x"], ["/x"]])("a layer that names %s", async (name) => {
    await expect(imageOf(layoutOf({ layers: [layer({ name })] }))).rejects.toMatchObject({ code: "invalid" });
  });
});
