import {
  appendFileSync,
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { describe, expect, test } from "vitest";
import { byteStringOf, latin1 } from "../byte-string.ts";
import { setXattr } from "../native/xattrs.ts";
import { makeRichTree } from "../testing/rich-tree.ts";
import { inPieces, makeScratch, run } from "../testing/scratch.ts";
import { unpackTar } from "../unpack/unpack.ts";
import { tarOfTree } from "../walk/tar-of-tree.ts";
import { compareTrees, showDifference } from "./compare.ts";
import { recordsOfArchive } from "./records-of-archive.ts";
import { recordsOfTree } from "./records-of-tree.ts";

const OWNER = process.getuid?.() === 0;

function makeTrees() {
  const scratch = makeScratch();
  const [source, target] = [scratch.under("source"), scratch.under("target")];
  mkdirSync(source);
  mkdirSync(target);
  makeRichTree(source);
  return { source, target, [Symbol.dispose]: () => scratch[Symbol.dispose]() };
}

async function whole(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

const shown = (differences: ReturnType<typeof compareTrees>) => differences.map(showDifference);
const ALL = ["--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner"];

describe.runIf(OWNER)("one of each thing a tree can hold", () => {
  test("goes into our archive and comes out as it was", async () => {
    using trees = makeTrees();
    const archive = await whole(tarOfTree(trees.source));
    await unpackTar(inPieces(archive, 7777), trees.target, { devices: "create" });
    const source = recordsOfTree(trees.source);
    expect(shown(compareTrees(source, recordsOfTree(trees.target)))).toEqual([]);
    expect(shown(compareTrees(source, await recordsOfArchive(inPieces(archive, 5000))))).toEqual([]);
    expect((await whole(tarOfTree(trees.target))).equals(archive)).toBe(true);
    expect(source.size).toBe(49);
  });

  test("goes into our archive and comes out of GNU tar as it was", async () => {
    using trees = makeTrees();
    const archive = await whole(tarOfTree(trees.source));
    run(["tar", "--extract", ...ALL, "--same-owner", "-p", "-C", trees.target], archive);
    expect(shown(compareTrees(recordsOfTree(trees.source), recordsOfTree(trees.target)))).toEqual([]);
  });

  test.each(["--sparse-version=0.0", "--sparse-version=0.1", "--sparse-version=1.0"])(
    "comes out of GNU tar's pax archive as it was, sparse files as %s",
    async (version) => {
      using trees = makeTrees();
      const archive = run(["tar", "--create", "--format=pax", "--sparse", version, ...ALL, "-C", trees.source, "."]);
      await unpackTar(inPieces(archive, 4000), trees.target, { devices: "create" });
      const source = recordsOfTree(trees.source);
      // GNU tar keeps no attributes of links and devices.
      const mayDiffer = ({ path, aspect }: { path: string; aspect: string }) =>
        aspect === "attributes" && ["link", "etc/link-of-link", "null"].includes(path);
      expect(shown(compareTrees(source, recordsOfTree(trees.target)).filter((one) => !mayDiffer(one)))).toEqual([]);
      const archived = await recordsOfArchive(inPieces(archive));
      expect(shown(compareTrees(archived, recordsOfTree(trees.target)))).toEqual([]);
    },
  );

  test("comes out of GNU tar's own format, but for what that does not know", async () => {
    using trees = makeTrees();
    const archive = run(["tar", "--create", "--format=gnu", "--sparse", "--numeric-owner", "-C", trees.source, "."]);
    await unpackTar(inPieces(archive, 3000), trees.target, { devices: "create" });
    const differences = compareTrees(recordsOfTree(trees.source), recordsOfTree(trees.target));
    expect(shown(differences.filter(({ aspect }) => !["time", "attributes", "mode"].includes(aspect)))).toEqual([]);
  });
});

describe.runIf(OWNER)("a difference is found and shown", () => {
  test.each<readonly [string, (at: (name: string) => string) => void, readonly (string | RegExp)[]]>([
    [
      "a byte",
      (at) => appendFileSync(at("a"), "!"),
      [/^"a": time/, /^"a": content is 8 bytes, SHA-256 .*, not 7 bytes/],
    ],
    ["a mode", (at) => chmodSync(at("a"), 0o4755), ['"a": mode is 4755, not 0644']],
    ["an owner", (at) => chownSync(at("a"), 1, 2), ['"a": owner is 1:2, not 0:0']],
    ["a time", (at) => utimesSync(at("a"), 5, 5), [/^"a": time is 5000000000, not/]],
    ["nothing there", (at) => rmSync(at("a")), ['"a" is missing (file)']],
    ["something more", (at) => writeFileSync(at("b"), ""), ['"b" is not expected (file)']],
    [
      "an attribute",
      (at) => setXattr(byteStringOf(at("a")), latin1("user.x"), Buffer.from("v")),
      ['"a": attributes is "user.x"=76, not '],
    ],
    ["a name", (at) => linkSync(at("a"), at("b")), ['"a": names is "a" "b", not ', '"b" is not expected (file)']],
    [
      "another kind",
      (at) => {
        rmSync(at("a"));
        symlinkSync("x", at("a"));
      },
      ['"a": type is symlink, not file'],
    ],
  ])("%s", (_, change, expected) => {
    using scratch = makeScratch();
    writeFileSync(scratch.under("a"), "content");
    chmodSync(scratch.under("a"), 0o644);
    const before = recordsOfTree(scratch.path);
    change(scratch.under);
    const found = shown(compareTrees(before, recordsOfTree(scratch.path))).filter((line) => !line.startsWith('"."'));
    expect(found).toEqual(expected.map((line) => (typeof line === "string" ? line : expect.stringMatching(line))));
  });
});
