import { lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { decompressed } from "../compression/decompress.ts";
import { type RawEntry, rawTar } from "../testing/raw-tar.ts";
import { inPieces, makeScratch, run } from "../testing/scratch.ts";
import { type UnpackOptions, unpackTar } from "./unpack.ts";

const OWNER = process.getuid?.() === 0;

async function unpack(archive: Uint8Array, root: string, options: Partial<UnpackOptions> = {}) {
  return await unpackTar(decompressed(inPieces(archive, 10_000)), root, { devices: "create", ...options });
}

/** A target folder with a secret beside it. */
function makeTarget() {
  const scratch = makeScratch();
  const root = scratch.under("root");
  mkdirSync(root);
  mkdirSync(scratch.under("outside"));
  writeFileSync(scratch.under("outside/secret"), "secret");
  return {
    root,
    scratch,
    in: (name: string) => path.join(root, name),
    [Symbol.dispose]: () => scratch[Symbol.dispose](),
  };
}

describe.runIf(OWNER)("what GNU tar packs", () => {
  test.each(["pax", "gnu"])("comes out as it was, in format %s", async (format) => {
    using target = makeTarget();
    const source = target.scratch.under("source");
    mkdirSync(`${source}/folder/${"deep/".repeat(40)}`, { recursive: true });
    writeFileSync(`${source}/file`, "content");
    writeFileSync(Buffer.from(`${source}/name\xff`, "latin1"), "bytes");
    writeFileSync(`${source}/folder/${"n".repeat(200)}`, "long");
    symlinkSync("../../etc/passwd", `${source}/link`);
    run(["ln", `${source}/file`, `${source}/folder/second`]);
    run(["mknod", `${source}/null`, "c", "1", "3"]);
    run(["mkfifo", `${source}/fifo`]);
    run(["truncate", "-s", "3M", `${source}/sparse`]);
    run(["dd", "if=/dev/urandom", `of=${source}/sparse`, "bs=4096", "seek=100", "count=3", "conv=notrunc"]);
    run(["chown", "-h", "1234:5678", `${source}/file`, `${source}/link`, `${source}/folder`]);
    run(["chmod", "6751", `${source}/file`]);
    run(["chmod", "2750", `${source}/folder`]);
    run(["touch", "-h", "-d", "2001-02-03 04:05:06.123456789", `${source}/link`, `${source}/file`, `${source}/folder`]);
    const tar = ["tar", `--format=${format}`, "--numeric-owner", "--sparse", "-C", source, "-c", "."];
    const done = await unpack(zstdCompressSync(run(tar)), target.root);
    const list = ["find", ".", "-printf", "%p %y %m %U %G %s %T@ %n %l\\n"];
    const sorted = (folder: string) =>
      run(["env", "-C", folder, ...list])
        .toString("latin1")
        .split("\n")
        .sort();
    const expected = sorted(source);
    // The old format knows whole seconds.
    const seconds = (lines: string[]) =>
      lines.map((line) => line.replace(/\.[0-9]{10} /, " ")).filter((line) => !/ d /.test(line));
    if (format === "pax") expect(sorted(target.root)).toEqual(expected);
    else expect(seconds(sorted(target.root))).toEqual(seconds(expected));
    expect(readFileSync(target.in("sparse")).equals(readFileSync(`${source}/sparse`))).toBe(true);
    expect(lstatSync(target.in("sparse")).blocks).toBeLessThan(100);
    expect(lstatSync(target.in("null")).rdev).toBe(lstatSync("/dev/null").rdev);
    expect(done.entries).toBe(expected.length - 1);
  });
});

describe.runIf(OWNER)("hostile archives", () => {
  const refused: readonly (readonly [what: string, entries: readonly RawEntry[], says: string])[] = [
    ["an absolute path", [{ name: "/tmp/hps-evil" }], "begins with a slash"],
    ["a path that climbs", [{ name: "a/../../outside/secret" }], "climbs out by .."],
    ["a folder that climbs", [{ name: "../outside", type: "5" }], "climbs out by .."],
    [
      "a link out of the tree as a folder",
      [
        { name: "out", type: "2", link: "../outside" },
        { name: "out/secret", content: "evil" },
      ],
      "a folder above it is a link",
    ],
    [
      "an absolute link as a folder",
      [
        { name: "out", type: "2", link: "/tmp" },
        { name: "out/sub/evil", content: "evil" },
      ],
      "a folder above it is a link",
    ],
    [
      "a link to a link as a folder",
      [
        { name: "one", type: "2", link: ".." },
        { name: "two", type: "2", link: "one" },
        { name: "two/outside/secret", content: "evil" },
      ],
      "a folder above it is a link",
    ],
    ["a hard link that climbs", [{ name: "l", type: "1", link: "../outside/secret" }], "climbs out by .."],
    ["an absolute hard link", [{ name: "l", type: "1", link: "/etc/passwd" }], "begins with a slash"],
    [
      "a hard link through a link",
      [
        { name: "out", type: "2", link: "../outside" },
        { name: "l", type: "1", link: "out/secret" },
      ],
      "a folder above it is a link",
    ],
    ["a hard link to nothing", [{ name: "l", type: "1", link: "none" }], "a name that is not there"],
    ["a hard link to the root", [{ name: "l", type: "1", link: "." }], "is a hard link to the tree's root"],
    ["a file as a folder", [{ name: "f" }, { name: "f/g" }], "what should be a folder above it is none"],
    ["a root that is a link", [{ name: ".", type: "2", link: "/" }], "is no folder"],
    ["a name that is too long", [{ name: "x", pax: { path: "n".repeat(300) } }], "too long"],
    ["a name with a zero byte", [{ name: "x", pax: { path: "a\0b" } }], "zero byte"],
    ["a path of many folders", [{ name: "x", pax: { path: "d/".repeat(200) } }], "more than 128 folders deep"],
    ["an owner that means none", [{ name: "x", pax: { uid: "4294967295" } }], "uid is beyond all bounds"],
  ];

  test.each(refused)("%s: refused", async (_, entries, says) => {
    using target = makeTarget();
    await expect(unpack(rawTar(entries), target.root)).rejects.toMatchObject({
      name: "HpsError",
      message: expect.stringContaining(says),
    });
    expect(readFileSync(target.scratch.under("outside/secret"), "utf8")).toBe("secret");
    expect(lstatSync(target.scratch.under("outside")).nlink).toBe(2);
    expect(lstatSync("/tmp/hps-evil", { throwIfNoEntry: false })).toBeUndefined();
  });

  test("a link that is there already is not written through", async () => {
    using target = makeTarget();
    symlinkSync(target.scratch.under("outside/secret"), target.in("file"));
    await unpack(rawTar([{ name: "file", content: "mine" }]), target.root);
    expect(readFileSync(target.in("file"), "utf8")).toBe("mine");
    expect(readFileSync(target.scratch.under("outside/secret"), "utf8")).toBe("secret");
  });

  test("a link is not followed by owner, mode, time", async () => {
    using target = makeTarget();
    const before = lstatSync(target.scratch.under("outside/secret"), { bigint: true });
    const link = { name: "l", type: "2", link: "../outside/secret", mode: 0o777, uid: 7, gid: 8, seconds: 9 };
    await unpack(rawTar([link]), target.root);
    expect(lstatSync(target.scratch.under("outside/secret"), { bigint: true })).toEqual(before);
    expect(lstatSync(target.in("l"))).toMatchObject({ uid: 7, gid: 8, mtimeMs: 9000 });
  });

  test("devices are refused where they are not wanted", async () => {
    using target = makeTarget();
    const archive = rawTar([{ name: "dev/sda", type: "4", major: 8, minor: 0 }]);
    await expect(unpack(archive, target.root, { devices: "refuse" })).rejects.toMatchObject({
      code: "denied",
      message: 'the archive holds the device "dev/sda", and devices are not wanted here',
    });
  });
});

describe.runIf(OWNER)("a later entry of the same name", () => {
  test.each<readonly [string, readonly RawEntry[], string]>([
    [
      "file by file",
      [
        { name: "x", content: "old" },
        { name: "x", content: "new" },
      ],
      "- new",
    ],
    [
      "link by file",
      [
        { name: "x", type: "2", link: "/etc/passwd" },
        { name: "x", content: "new" },
      ],
      "- new",
    ],
    [
      "file by link",
      [
        { name: "x", content: "old" },
        { name: "x", type: "2", link: "to" },
      ],
      "l to",
    ],
    [
      "folder by link",
      [
        { name: "x/y/z", content: "old" },
        { name: "x", type: "2", link: "to" },
      ],
      "l to",
    ],
    [
      "link by folder",
      [{ name: "x", type: "2", link: "../outside" }, { name: "x/", type: "5" }, { name: "x/s" }],
      "d s",
    ],
    ["folder by folder", [{ name: "x/s" }, { name: "x", type: "5", mode: 0o700 }], "d s"],
    [
      "file by a hard link to itself",
      [
        { name: "x", content: "same" },
        { name: "./x", type: "1", link: "x" },
      ],
      "- same",
    ],
  ])("replaces %s", async (_, entries, expected) => {
    using target = makeTarget();
    await unpack(rawTar(entries), target.root);
    const stat = lstatSync(target.in("x"));
    const found = stat.isSymbolicLink()
      ? `l ${readlinkSync(target.in("x"))}`
      : stat.isDirectory()
        ? `d ${run(["ls", target.in("x")])
            .toString()
            .trim()}`
        : `- ${readFileSync(target.in("x"), "utf8")}`;
    expect(found).toBe(expected);
    expect(readFileSync(target.scratch.under("outside/secret"), "utf8")).toBe("secret");
  });

  test("a folder that was replaced gets no owner by the back door", async () => {
    using target = makeTarget();
    await unpack(
      rawTar([
        { name: "x", type: "5", uid: 7, gid: 7, mode: 0o777 },
        { name: "x", type: "2", link: "../outside" },
      ]),
      target.root,
    );
    expect(lstatSync(target.scratch.under("outside")).uid).toBe(0);
  });
});

test("limits are kept", async () => {
  using target = makeTarget();
  const archive = rawTar([
    { name: "a", content: "12345" },
    { name: "b", content: "12345" },
  ]);
  await expect(unpack(archive, target.root, { limits: { bytes: 9 } })).rejects.toThrow("more than 9 bytes");
  await expect(unpack(archive, target.root, { limits: { entries: 1 } })).rejects.toThrow("more than 1 entries");
});

test("a signal stops it", async () => {
  using target = makeTarget();
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(unpack(rawTar([{ name: "a" }]), target.root, { signal })).rejects.toThrow("enough");
});
