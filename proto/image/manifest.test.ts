import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byteStringOf, latin1 } from "../tree/byte-string.ts";
import { LARGEST_OBJECT } from "./limits.ts";
import {
  compressManifest,
  encodeManifest,
  manifestBytes,
  manifestDigest,
  openManifest,
  parseManifest,
} from "./manifest.ts";
import type { ManifestEntry } from "./manifest-entry.ts";
import { manifestOfDrafts } from "./manifest-of-drafts.ts";
import { expectRefusedOrSame, turned } from "./testing/damaged-manifests.ts";
import { anyDrafts, draft, richDrafts, someObject } from "./testing/drafts.ts";
import { errorOf } from "./testing/error-of.ts";

const rich = manifestOfDrafts(richDrafts());

/** The rich tree with the entry `path` changed, as a writer sees it. */
function changed(path: string, change: Partial<ManifestEntry>): () => unknown {
  const entries = rich.entries.map((entry) => (entry.path === byteStringOf(path) ? { ...entry, ...change } : entry));
  return () => encodeManifest({ ...rich, entries });
}

describe("a manifest", () => {
  test("gives back what it was made of, one of each thing", () => {
    expect(parseManifest(encodeManifest(rich))).toEqual(rich);
  });

  test("is in path order, children directly after their folder", () => {
    expect(rich.entries.map(({ path }) => path)).toEqual(
      [
        "",
        "a-link",
        "big",
        "dev",
        "dev/fifo",
        "dev/null",
        "dev/sda",
        "empty",
        "etc",
        "etc/a",
        "etc/link",
        "etc.d",
        "hole",
        "same",
        "sparse",
        "\xff\n\xfe",
      ].map(latin1),
    );
  });

  test("has the first name of an inode as the entry, all others as links to it", () => {
    const [link, further] = ["a-link", "etc/link"].map((path) => rich.entries.find((entry) => entry.path === path));
    expect(link).toMatchObject({ type: "symlink", link: latin1("../\xff/nowhere") });
    expect(further).toMatchObject({ type: "hardlink", target: 1 });
  });

  test("names equal content once", () => {
    const [one, same] = ["etc/a", "same"].map((path) => rich.entries.find((entry) => entry.path === path)?.objects);
    expect(one).toEqual(same);
    expect(rich.objects).toHaveLength(6);
  });

  test("is the same for any order of what it is made of, and of any tree is read as it was written", () => {
    fc.assert(
      fc.property(anyDrafts, (drafts) => {
        const bytes = encodeManifest(manifestOfDrafts(drafts));
        const sorted = drafts.toSorted((one, other) => (one.path < other.path ? 1 : -1));
        expect(encodeManifest(manifestOfDrafts(sorted)).equals(bytes)).toBe(true);
        expect(encodeManifest(parseManifest(bytes)).equals(bytes)).toBe(true);
      }),
    );
  });

  test("can be read entry by entry", () => {
    const { entries } = openManifest(encodeManifest(rich));
    expect([...entries].map(({ path }) => path)).toEqual(rich.entries.map(({ path }) => path));
  });
});

describe("a writer refuses, by name,", () => {
  const far = { size: LARGEST_OBJECT, segments: [{ offset: 4096, size: 10 }] };
  test.each<[string, () => unknown, RegExp]>([
    ["an entry out of order", () => encodeManifest({ ...rich, entries: rich.entries.toReversed() }), /root/],
    ["a path twice", changed("empty", { path: byteStringOf("dev/sda") }), /"dev\/sda": it is out of order/],
    ["an entry without its folder", changed("empty", { path: byteStringOf("dev/x/y") }), /"dev\/x\/y": the folder/],
    ["an entry below a file", changed("dev", { type: "fifo" }), /"dev\/fifo": the folder/],
    ["dots", changed("empty", { path: byteStringOf("dev/..") }), /out of order|\.\./],
    ["a long name", changed("sparse", { path: byteStringOf(`s${"x".repeat(255)}`) }), /longer than 255/],
    ["a zero byte", changed("sparse", { path: byteStringOf("sp\0") }), /zero byte/],
    ["a mode of 13 bits", changed("dev", { mode: 0o10000 }), /"dev": its mode/],
    ["a fraction", changed("dev", { uid: 0.5 }), /"dev": its owner/],
    ["an unchanged owner", changed("dev", { gid: 0xffff_ffff }), /"dev": its group/],
    ["a time far off", changed("dev", { mtime: 10n ** 21n + 1n }), /"dev": its time/],
    ["a device that is none", changed("dev/null", { major: 4096 }), /"dev\/null": its major/],
    ["a symlink to nothing", changed("a-link", { link: latin1("") }), /"a-link": it is a symlink/],
    ["a link to a folder", changed("etc.d", { target: 3 }), /"etc.d": it is a hard link/],
    ["a link to a link", changed("etc.d", { target: 10 }), /"etc.d": it is a hard link/],
    ["a link to itself", changed("etc.d", { target: 11 }), /"etc.d": it is a hard link/],
    ["content that is missing", changed("big", { size: 3 * LARGEST_OBJECT + 1 }), /"big": it has 3 objects, not 4/],
    ["content of another length", changed("same", { size: 13 }), /"same": an object of 12 bytes stands for 13/],
    ["objects in another order", changed("big", { objects: [1, 0, 2] }), /"big": it has an object before/],
    [
      "objects of no file",
      () => encodeManifest({ ...rich, objects: [...rich.objects, someObject(1, 1)] }),
      /1 of the objects/,
    ],
    ["a hole off its place", changed("sparse", { ...far, segments: [{ offset: 4095, size: 10 }] }), /multiple of 4096/],
    ["data that ends off its place", changed("sparse", far), /multiple of 4096/],
    ["data past the end", changed("sparse", { size: 4096 }), /pass its end/],
    ["a sparse file without a hole", changed("empty", { segments: [] }), /"empty": it is called sparse/],
    ["attributes out of order", changed("etc", { xattrs: richDrafts()[5]?.xattrs ?? [] }), /"etc": its attributes/],
    ["an object twice", () => encodeManifest({ ...rich, objects: [...rich.objects, ...rich.objects] }), /already/],
    ["an empty object", () => encodeManifest({ ...rich, objects: [someObject(1, 0)] }), /0 bytes/],
    ["a hard link to nowhere", () => manifestOfDrafts([draft("hardlink", "x", { link: latin1("y") })]), /"x": it is a/],
    ["a ring of hard links", () => manifestOfDrafts([draft("hardlink", "x", { link: latin1("x") })]), /"x": it is a/],
  ])("%s", (_, action, message) => {
    const error = errorOf(action);
    expect(error.code).toBe("invalid");
    expect(error.message).toMatch(message);
  });

  test("a tree deeper than 128 folders, and no other", () => {
    const deep = (depth: number) => [
      draft("directory", ""),
      ...Array.from({ length: depth }, (_, index) => draft("directory", `${"d/".repeat(index)}d`)),
    ];
    expect(encodeManifest(manifestOfDrafts(deep(128))).length).toBeGreaterThan(128);
    expect(errorOf(() => encodeManifest(manifestOfDrafts(deep(129)))).message).toMatch(/128 folders deep/);
  });
});

describe("a reader refuses, naming layer and place,", () => {
  const bytes = encodeManifest(rich);

  test("every beginning of a manifest", () => {
    for (let length = 0; length < bytes.length; length++) {
      const error = errorOf(() => parseManifest(bytes.subarray(0, length)));
      expect(error.message).toMatch(/^the manifest is damaged at byte \d+: /);
    }
  });

  test("what follows a manifest", () => {
    const error = errorOf(() => parseManifest(Buffer.concat([bytes, Buffer.from([0])])));
    expect(error.message).toBe(`the manifest is damaged at byte ${bytes.length}: 1 bytes follow its end`);
  });

  test("a later version", () => {
    const later = Buffer.from(bytes);
    later[7] = 2;
    expect(errorOf(() => parseManifest(later)).code).toBe("unimplemented");
  });

  test("any form but the one that it writes, for a bit of each byte that is turned", () => {
    for (let bit = 0; bit < bytes.length * 8; bit += 9) expectRefusedOrSame(turned(bytes, bit));
  });
});

describe("a stored manifest", () => {
  const bytes = encodeManifest(rich);
  const digest = manifestDigest(bytes);
  const stored = compressManifest(bytes);

  test("is read by its digest", () => {
    expect(manifestBytes(stored, digest).equals(bytes)).toBe(true);
  });

  test.each<[string, Buffer]>([
    ["cut", stored.subarray(0, -1)],
    ["longer", Buffer.concat([stored, stored])],
    ["empty", Buffer.alloc(0)],
    ["not compressed", bytes],
    ["another", compressManifest(encodeManifest(manifestOfDrafts([draft("directory", "")])))],
  ])("that is %s is refused", (_, found) => {
    expect(errorOf(() => manifestBytes(found, digest)).message).toMatch(/^the manifest is damaged: /);
  });
});
