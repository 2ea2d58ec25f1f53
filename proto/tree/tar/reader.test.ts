import { describe, expect, test } from "vitest";
import { type RawEntry, rawTar, sealed } from "../testing/raw-tar.ts";
import type { TarEntry } from "./entry.ts";
import { TarReader } from "./reader.ts";

interface Read extends TarEntry {
  readonly content: string;
}

/** All entries with their content, holes left out and marked. */
function read(archive: Uint8Array, size = 1000): Read[] {
  const entries: Read[] = [];
  let current: { entry: TarEntry; pieces: string[] } | undefined;
  const reader = new TarReader({
    entry: (entry) => {
      current = { entry, pieces: [] };
    },
    data: (bytes, offset) => current?.pieces.push(`${offset}:${Buffer.from(bytes).toString("latin1")}`),
    done: () => {
      if (current !== undefined) entries.push({ ...current.entry, content: current.pieces.join(" ") });
    },
  });
  for (let at = 0; at < archive.length; at += size) reader.push(archive.subarray(at, at + size));
  reader.end();
  return entries;
}

const one = (entry: RawEntry) => read(rawTar([entry]))[0];

/** An archive of one header that `change` has altered before its checksum was made. */
function altered(entry: RawEntry, change: (block: Buffer) => void): Buffer {
  const archive = rawTar([entry]);
  change(archive.subarray(0, 512));
  sealed(archive.subarray(0, 512));
  return archive;
}

describe("headers", () => {
  test("pieces of any size give the same", () => {
    const archive = rawTar([
      { name: "a", content: "x".repeat(700) },
      { name: "b", type: "2", link: "a" },
    ]);
    const whole = read(archive, archive.length).map(({ path, size }) => [path, size]);
    for (const size of [1, 511, 512, 513])
      expect(read(archive, size).map(({ path, size: of }) => [path, of])).toEqual(whole);
  });

  test("base 256: sizes and times beyond octal, times before 1970", () => {
    const before = altered({ name: "a" }, (block) => block.fill(0xff, 136, 148));
    expect(read(before)[0]?.mtime).toBe(-1_000_000_000n);
    const late = altered({ name: "a" }, (block) => {
      block.fill(0, 136, 148);
      block.writeUInt8(0x80, 136);
      block.writeUInt32BE(0x3, 140);
    });
    expect(read(late)[0]?.mtime).toBe((0x3n << 32n) * 1_000_000_000n);
    const huge = altered({ name: "a" }, (block) => block.fill(0x7f, 124, 136).writeUInt8(0xbf, 124));
    expect(() => read(huge)).toThrow("its size is beyond all bounds");
    const negative = altered({ name: "a" }, (block) => block.fill(0xff, 124, 136));
    expect(() => read(negative)).toThrow("its size is negative");
  });

  test("numbers as old programs wrote them", () => {
    const spaced = altered({ name: "a" }, (block) => block.write("   755 \0", 100, "latin1"));
    expect(read(spaced)[0]?.mode).toBe(0o755);
    const wrong = altered({ name: "a" }, (block) => block.write("00x0755\0", 100, "latin1"));
    expect(() => read(wrong)).toThrow("byte 0: its mode is no number");
  });

  test("a signed checksum, as some programs made it", () => {
    const archive = rawTar([{ name: "\xe9\xe9" }]);
    const sum = archive.subarray(0, 512).reduce((total, byte, index) => {
      const value = index >= 148 && index < 156 ? 0x20 : byte;
      return total + (value < 0x80 ? value : value - 0x100);
    }, 0);
    archive.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    expect(read(archive)[0]?.path).toBe("\xe9\xe9");
  });

  test("the name's prefix of POSIX, and what GNU and star keep in its place", () => {
    const prefixed = (magic: string, last = "") =>
      altered({ name: "name" }, (block) => {
        block.write(magic, 257, "latin1");
        block.write("prefix", 345, "latin1");
        block.write(last, 508, "latin1");
      });
    expect(read(prefixed("ustar\x0000"))[0]?.path).toBe("prefix/name");
    expect(read(prefixed("ustar  \0"))[0]?.path).toBe("name");
    expect(read(prefixed("ustar\x0000", "tar\0"))[0]?.path).toBe("prefix/name");
    expect(read(prefixed("\0\0\0\0\0\0\0\0"))[0]?.path).toBe("name");
  });

  test("a folder of Unix V7 is a name with a slash", () => {
    expect(one({ name: "folder/", type: "\0" })?.type).toBe("directory");
    expect(one({ name: "file", type: "\0" })?.type).toBe("file");
    expect(one({ name: "file", type: "7", content: "x" })).toMatchObject({ type: "file", content: "0:x" });
  });

  test("GNU's long names, its label, its list of a folder's names", () => {
    const long = "n".repeat(300);
    const entries = read(
      rawTar([
        { name: "label", type: "V" },
        { name: "././@LongLink", type: "L", content: `${long}\0` },
        { name: "././@LongLink", type: "K", content: `${long}x\0` },
        { name: "cut", type: "2", link: "cut" },
        { name: "folder", type: "D", content: "Yone\0Ntwo\0\0" },
      ]),
    );
    expect(entries.map(({ path, type, link, content }) => [path, type, link, content])).toEqual([
      [long, "symlink", `${long}x`, ""],
      ["folder", "directory", "", ""],
    ]);
  });

  test("a size means nothing where no content can follow", () => {
    const entries = read(
      rawTar([
        { name: "l", type: "1", link: "a", size: 700 },
        { name: "d", type: "5", size: 9 },
      ]),
    );
    expect(entries.map(({ path, size }) => [path, size])).toEqual([
      ["l", 0],
      ["d", 0],
    ]);
  });
});

describe("extended headers", () => {
  test("values are bytes, times have nanoseconds, ids are large", () => {
    const pax = {
      path: "p\xff\n=",
      mtime: "-1.5000000001",
      uid: "4000000000",
      comment: "ignored",
      "SCHILY.xattr.security.capability": "\x01\0\xff\n",
    };
    expect(one({ name: "x", pax })).toMatchObject({
      path: "p\xff\n=",
      mtime: -1_500_000_001n,
      uid: 4_000_000_000,
      xattrs: [{ name: "security.capability", value: Buffer.from([1, 0, 0xff, 0x0a]) }],
    });
  });

  test("attributes as bsdtar and SELinux's tools write them", () => {
    const pax = {
      "LIBARCHIVE.xattr.user.a%3Db": Buffer.from([0, 1, 2]).toString("base64"),
      "LIBARCHIVE.xattr.user.both": Buffer.from("base64").toString("base64"),
      "SCHILY.xattr.user.both": "exact",
      "RHT.security.selinux": "system_u:object_r:etc_t:s0",
    };
    const found = one({ name: "x", pax })?.xattrs.map(({ name, value }) => [
      name,
      Buffer.from(value).toString("latin1"),
    ]);
    expect(found).toEqual([
      ["user.a=b", "\x00\x01\x02"],
      ["user.both", "exact"],
      ["security.selinux", "system_u:object_r:etc_t:s0\0"],
    ]);
  });

  test("global ones hold until they are taken back; local ones for one entry", () => {
    const global = (content: string): RawEntry => ({ name: "g", type: "g", content });
    const entries = read(
      rawTar([
        global("10 uid=77\n"),
        { name: "a" },
        { name: "b", pax: { uid: "5" } },
        { name: "c" },
        global("7 uid=\n"),
        { name: "d" },
      ]),
    );
    expect(entries.map(({ path, uid }) => [path, uid])).toEqual([
      ["a", 77],
      ["b", 5],
      ["c", 77],
      ["d", 0],
    ]);
  });

  test("a global one with many records costs each entry nothing", () => {
    const unknown = Array.from({ length: 20_000 }, (_, index) => `13 k${String(index).padStart(6, "0")}=v\n`).join("");
    const entries = Array.from({ length: 3_000 }, (): RawEntry => ({ name: "a", pax: { uid: "1" } }));
    expect(read(rawTar([{ name: "g", type: "g", content: unknown }, ...entries]))).toHaveLength(3_000);
  });

  test.each([
    ["a length that lies", "99 uid=1\n"],
    ["no length", "uid=1\n"],
    ["no end of line", "8 uid=1x"],
    ["no value", "8 uid 1\n"],
    ["no key", "6 =xy\n"],
    ["a time in words", "15 mtime=today\n"],
    ["an id that is none", "9 uid=1e3\n"],
    ["an attribute without a name", "18 SCHILY.xattr.=x\n"],
  ])("%s is refused", (_, content) => {
    expect(() => read(rawTar([{ name: "PaxHeader", type: "x", content }, { name: "file" }]))).toThrow(
      "the archive is damaged at byte",
    );
  });
});

describe("sparse files", () => {
  const SPARSE_1_0 = {
    "GNU.sparse.major": "1",
    "GNU.sparse.minor": "0",
    "GNU.sparse.name": "s",
    "GNU.sparse.realsize": "100",
  };

  test("of format 1.0, with a map of two blocks", () => {
    const map = `60\n${Array.from({ length: 60 }, (_, index) => `${1_000_000 + index * 10}\n1\n`).join("")}`;
    const content = Buffer.concat([Buffer.from(map.padEnd(1024, "\0")), Buffer.alloc(60, "x")]);
    const pax = { ...SPARSE_1_0, "GNU.sparse.realsize": "2000000" };
    const entry = one({ name: "GNUSparseFile.0/s", pax, content });
    expect(entry).toMatchObject({ path: "s", size: 2_000_000 });
    expect(entry?.segments).toHaveLength(60);
    expect(entry?.content.split(" ").at(-1)).toBe("1000590:x");
  });

  test.each<readonly [string, RawEntry, string]>([
    [
      "pieces that overlap",
      { name: "s", content: "1234", pax: { "GNU.sparse.map": "0,3,2,1", "GNU.sparse.size": "9" } },
      "overlap",
    ],
    [
      "pieces past the end",
      { name: "s", content: "1234", pax: { "GNU.sparse.map": "7,4", "GNU.sparse.size": "9" } },
      "pass its end",
    ],
    [
      "pieces that hold more",
      { name: "s", content: "1234", pax: { "GNU.sparse.map": "0,5", "GNU.sparse.size": "9" } },
      "stores 4 bytes for pieces of 5",
    ],
    [
      "half a piece",
      { name: "s", content: "1", pax: { "GNU.sparse.map": "0", "GNU.sparse.size": "9" } },
      "half a piece",
    ],
    ["no size", { name: "s", content: "1", pax: { "GNU.sparse.map": "0,1" } }, "has no size"],
    ["a map of words", { name: "s", content: "one\n".padEnd(512, "\0"), pax: SPARSE_1_0 }, "no number"],
    ["a map without end", { name: "s", content: "9\n".padEnd(512, "\n"), pax: SPARSE_1_0 }, "no number"],
    [
      "a map longer than its file",
      { name: "s", content: "1\n0\n1\n", size: 4, pax: SPARSE_1_0 },
      "longer than what it stores",
    ],
    [
      "too many pieces",
      { name: "s", content: "99999999\n".padEnd(512, "\0"), pax: SPARSE_1_0 },
      "more than 1048576 pieces",
    ],
  ])("with %s are refused", (_, entry, says) => {
    expect(() => read(rawTar([entry]))).toThrow(says);
  });
});

describe("what is no archive", () => {
  test.each<readonly [string, Buffer, string]>([
    ["nothing", Buffer.alloc(0), "byte 0: it ends here, before its end mark"],
    ["text", Buffer.from("no archive ".repeat(100)), "byte 0: "],
    ["half a header", rawTar([{ name: "a" }]).subarray(0, 300), "byte 300: it ends here"],
    ["no end mark", rawTar([{ name: "a" }], Buffer.alloc(0)), "byte 512: it ends here"],
    ["half an end mark", rawTar([{ name: "a" }], Buffer.alloc(512)), "byte 1024: it ends here"],
    [
      "content cut short",
      rawTar([{ name: "a", content: "x".repeat(600) }]).subarray(0, 900),
      'byte 900, entry "a": it ends here',
    ],
    [
      "a second archive behind",
      Buffer.concat([rawTar([{ name: "a" }]), rawTar([{ name: "b" }])]),
      "byte 1536: something follows",
    ],
    [
      "an entry after half an end mark",
      rawTar([{ name: "a" }], Buffer.concat([Buffer.alloc(512), rawTar([{ name: "b" }])])),
      "half an end mark",
    ],
    [
      "an extended header at the end",
      rawTar([{ name: "x", type: "x", content: "8 uid=1\n" }]),
      "between an extended header and its entry",
    ],
    [
      "an extended header of 1 GB",
      rawTar([{ name: "x", type: "x", size: 1 << 30 }]),
      "an extended header of 1073741824 bytes",
    ],
    ["a name with a zero byte", rawTar([{ name: "x", pax: { path: "a\0b" } }]), "zero byte"],
    ["a link to nothing", rawTar([{ name: "x", type: "2" }]), "link to nothing"],
    ["a name longer than any", rawTar([{ name: "x", pax: { path: "a/".repeat(3000) } }]), "longer than any path"],
  ])("%s: named with its place", (_, archive, says) => {
    expect(() => read(archive)).toThrow(says);
  });

  test.each([
    ["a part of a file on another volume", "M"],
    ["something of another system", "Z"],
  ])("%s is refused in words", (_, type) => {
    expect(() => one({ name: "a", type })).toThrow(expect.objectContaining({ code: "unimplemented" }));
  });
});
