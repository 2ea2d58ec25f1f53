import { describe, expect, test } from "vitest";
import { type RawEntry, rawTar } from "../../../proto/tree/testing/raw-tar.ts";
import { imageOfTar } from "../testing/built.ts";
import { fileChanges } from "./file-changes.ts";
import { PACKAGE_LISTS, packageChanges } from "./package-lists.ts";
import { transferOf } from "./transfer.ts";

const lists = new Map(PACKAGE_LISTS.map(({ path, parse }) => [path, parse]));

describe("packages", () => {
  test("of dpkg: those that are installed, of several architectures too", () => {
    const paragraph = (name: string, status: string, more = "") =>
      `Package: ${name}\nStatus: ${status}\nArchitecture: amd64\nVersion: 1.0-${name}\n${more}`;
    const text = [
      paragraph("libc6", "install ok installed", "Description: x\n Version: 9\n"),
      paragraph("gone", "deinstall ok config-files"),
      paragraph("libc6", "install ok installed").replace("amd64", "i386"),
    ].join("\n");
    const found = lists.get("var/lib/dpkg/status")?.(Buffer.from(text));
    expect([...(found ?? [])]).toEqual([
      ["libc6", "1.0-libc6"],
      ["libc6:i386", "1.0-libc6"],
    ]);
  });

  test("of apk", () => {
    const found = lists.get("lib/apk/db/installed")?.(Buffer.from("C:Q1\nP:musl\nV:1.2.4-r2\n\nP:busybox\nV:1.36\n"));
    expect([...(found ?? [])]).toEqual([
      ["musl", "1.2.4-r2"],
      ["busybox", "1.36"],
    ]);
  });

  test("changes are by name", () => {
    const [before, after] = [
      new Map([
        ["a", "1"],
        ["b", "1"],
        ["c", "1"],
      ]),
      new Map([
        ["d", "1"],
        ["b", "2"],
        ["c", "1"],
      ]),
    ];
    expect(packageChanges(before, after)).toEqual([
      { name: "a", before: "1", after: "" },
      { name: "b", before: "1", after: "2" },
      { name: "d", before: "", after: "1" },
    ]);
  });
});

async function changes(before: readonly RawEntry[], after: readonly RawEntry[]) {
  using old = await imageOfTar(rawTar(before));
  using now = await imageOfTar(rawTar(after));
  return fileChanges(old.manifest, now.manifest).map(
    ({ path, kind, before: from, after: to }) => `${path} ${kind} ${from} ${to}`,
  );
}

test("files: added, removed, changed, or with other attributes", async () => {
  const before = [
    { name: "a/x", content: "1" },
    { name: "a-b" },
    { name: "b", content: "22" },
    { name: "c" },
    { name: "l", type: "2", link: "b" },
  ];
  const after = [
    { name: "a/y" },
    { name: "a-b", mode: 0o600 },
    { name: "b", content: "333" },
    { name: "c" },
    { name: "l", type: "2", link: "c" },
  ];
  expect(await changes(before, after)).toEqual([
    "a/x removed 1 0",
    "a/y added 0 0",
    "a-b attributes 0 0",
    "b changed 2 3",
    "l changed 0 0",
  ]);
  expect(await changes(before, before)).toEqual([]);
});

test("a further name of a file is that file", async () => {
  const linked = [
    { name: "a", content: "1" },
    { name: "b", type: "1", link: "a" },
  ];
  const apart = [
    { name: "a", content: "1" },
    { name: "b", content: "1" },
  ];
  expect(await changes(linked, apart)).toEqual([]);
  expect(
    await changes(linked, [
      { name: "a", content: "1" },
      { name: "b", content: "2" },
    ]),
  ).toEqual(["b changed 1 1"]);
});

test("what is transferred: whole frames, from the first pack that has an object, each once", async () => {
  using old = await imageOfTar(rawTar([{ name: "a", content: "a" }]));
  using now = await imageOfTar(rawTar(["a", "b", "c", "d"].map((name) => ({ name, content: name }))));
  const objects = now.manifest.objects;
  const frame = (compressedBytes: number, ...numbers: readonly number[]) => ({
    ...{ offset: 0, rawBytes: numbers.length, compressedBytes },
    objects: numbers.flatMap((number) => objects[number] ?? []),
  });
  const packs = [
    { index: { frames: [frame(100, 0, 1)] } },
    { index: { frames: [frame(1000, 1), frame(10, 2, 3), frame(5, 0)] } },
  ];
  const target = { manifest: now.manifest, manifestBytes: 1, packs, deltaBytes: undefined };
  const whole = { contentBytes: 3, framesBytes: 111, wholeBytes: 111 };
  expect(transferOf(old.manifest, target)).toEqual({ ...whole, wireBytes: 111 });
  expect(transferOf(old.manifest, { ...target, deltaBytes: 20 })).toEqual({ ...whole, wireBytes: 21 });
  expect(transferOf(old.manifest, { ...target, deltaBytes: 200 })).toEqual({ ...whole, wireBytes: 111 });
  expect(transferOf(now.manifest, target).wireBytes).toBe(1);
});
