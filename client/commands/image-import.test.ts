import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { gzipLayer, layoutOf, writeFiles } from "../image/testing/oci-layout.ts";
import { uploadLibrary } from "../image/testing/upload-library.ts";
import { makeDebianTree } from "../testing/debian-tree.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";

const start = useServers();
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "image-import-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function library() {
  const { uploadImage, images } = uploadLibrary();
  const server = await start({ images: { uploadImage } });
  const work = join(folder, "tmp");
  mkdirSync(work);
  const environment = { ...server.environment, HOME: folder, TMPDIR: work };
  return { images, work, hpsctl: (...words: readonly string[]) => hpsctl({ environment }, ["image", ...words]) };
}

test("one tree is one image, whatever it comes from", async () => {
  const { images, work, hpsctl } = await library();
  const tree = makeDebianTree(folder);
  const tar = (...words: string[]) =>
    execFileSync("tar", ["-C", tree, "--format=pax", ...words, "-c", "."], { maxBuffer: 1 << 24 });
  const at = (name: string, bytes: Buffer) => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const layout = writeFiles(join(folder, "layout"), layoutOf({ layers: [gzipLayer(tar())] }));
  const sources = [
    tree,
    at("a.tar", tar()),
    at("a.tar.zst", tar("--zstd")),
    at("a.tar.xz", tar("--xz")),
    at("a.tar.gz", tar("--gzip")),
    layout,
  ];
  for (const source of sources) {
    const { code, err } = await hpsctl("import", "debian/web:1", source);
    expect({ code, err }).toMatchObject({
      code: 0,
      err: expect.stringContaining("it holds Test OS 12, kernel 6.1.0-1-amd64\n"),
    });
  }
  expect(new Set(images.map(({ begin }) => begin.digest)).size).toBe(1);
  expect(images).toHaveLength(sources.length);
  const [image] = images;
  expect(image?.begin).toMatchObject({
    cluster: "lab",
    name: "debian/web:1",
    system: "Test OS 12",
    kernel: "6.1.0-1-amd64",
    lacks: [],
    move: false,
  });
  expect(image?.objects.map((bytes) => bytes.toString().slice(0, 6))).toEqual(["initrd", "kernel", "PRETTY", "xxxxxx"]);
  // Nothing stays of what was kept meanwhile.
  expect(readdirSync(work)).toEqual([]);
});

test("what it lacks is said, where it goes is told, and how much of it is new", async () => {
  const { images, hpsctl } = await library();
  rmSync(join(makeDebianTree(folder), "boot"), { recursive: true });
  const before = Date.now();
  const { err, code } = await hpsctl(
    "import",
    "shared/a:1",
    join(folder, "tree"),
    "--move",
    "--expires",
    "30d",
    "--delta-base",
    "web:1",
  );
  expect(code).toBe(0);
  expect(err).toContain("warning: it has no kernel, no initrd: it is kept, but cannot be installed\n");
  expect(err).toContain("586 KiB of 586 KiB are new to the library\n");
  expect(images[0]?.begin).toMatchObject({ cluster: "", name: "shared/a:1", move: true, lacks: ["kernel", "initrd"] });
  expect(images[0]?.begin.deltaBase).toBe("web:1");
  const expires = images[0]?.begin.expireTime;
  expect(expires && timestampMs(expires)).toBeGreaterThanOrEqual(before + 30 * 86_400_000);
});

test.each([
  ["half a file", "half.tar.zst", 2, "is damaged"],
  ["a file that is none", "none", 3, "there is no "],
  ["another kind than told", "whole.tar.zst", 2, "lacks"],
])("%s is refused before anything is sent", async (_, name, exit, says) => {
  const { images, hpsctl } = await library();
  const whole = execFileSync("tar", ["-C", makeDebianTree(folder), "--zstd", "-c", "."], { maxBuffer: 1 << 24 });
  writeFileSync(join(folder, "whole.tar.zst"), whole);
  writeFileSync(join(folder, "half.tar.zst"), whole.subarray(0, whole.length / 2));
  const { code, err } = await hpsctl(
    "import",
    "a:1",
    join(folder, name),
    ...(name.startsWith("whole") ? ["--from", "oci"] : []),
  );
  expect({ code, err }).toMatchObject({ code: exit, err: expect.stringContaining(says) });
  expect(images).toEqual([]);
});

test("hpsd's refusal ends it, also while the image is on its way", async () => {
  const large = join(folder, "large");
  mkdirSync(large);
  writeFileSync(join(large, "f"), Buffer.alloc(20 << 20, "content"));
  const { uploadImage } = uploadLibrary();
  const server = await start({
    images: {
      uploadImage: async function* (requests) {
        for await (const response of uploadImage(requests)) {
          yield response;
          throw new HpsError("exists", "image a:1 is there already, with other content");
        }
      },
    },
  });
  const environment = { ...server.environment, HOME: folder, TMPDIR: folder };
  const { code, err } = await hpsctl({ environment }, ["image", "import", "a:1", large]);
  expect({ code, err }).toMatchObject({ code: 6, err: expect.stringContaining("is there already") });
});

test("without room for what comes it says so before it begins", async () => {
  const { hpsctl } = await library();
  const vast = join(folder, "vast.tar");
  writeFileSync(vast, "");
  truncateSync(vast, 2 ** 50);
  const { code, err } = await hpsctl("import", "a:1", vast, "--from", "tar");
  expect({ code, err }).toMatchObject({ err: expect.stringContaining("this image needs 1 PiB") });
  expect(code).toBe(11);
});
