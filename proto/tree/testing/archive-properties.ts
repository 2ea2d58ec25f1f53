/** What must hold of every archive, honest or not. */
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { HpsError } from "../../values/hps-error.ts";
import { ANY_CHARACTER } from "../../values/testing/any-character.ts";
import { compareTrees, showDifference } from "../compare/compare.ts";
import { recordsOfArchive } from "../compare/records-of-archive.ts";
import { recordsOfTree } from "../compare/records-of-tree.ts";
import { unpackTar } from "../unpack/unpack.ts";
import { tarOfTree } from "../walk/tar-of-tree.ts";
import { type RawEntry, rawTar, sealed } from "./raw-tar.ts";
import { makeRichTree } from "./rich-tree.ts";
import { inPieces, run } from "./scratch.ts";

/** Three archives of one tree, in the formats that take different ways through the reader. */
export async function honestArchives(scratch: string): Promise<readonly Buffer[]> {
  const source = `${scratch}/source`;
  mkdirSync(source);
  makeRichTree(source);
  const ours: Uint8Array[] = [];
  for await (const piece of tarOfTree(source)) ours.push(piece);
  const tar = (...words: string[]) => run(["tar", "--create", "--sparse", ...words, "-C", source, "."]);
  const attributes = ["--xattrs", "--xattrs-include=*", "--acls"];
  return [Buffer.concat(ours), tar("--format=pax", "--sparse-version=0.1", ...attributes), tar("--format=gnu")];
}

/**
 * Unpacks into a folder of its own below `scratch`: ends in success or an `HpsError`, and what lies beside the target is as
 * before. Gives the error, if any; `target` is then for the caller to look at.
 */
export async function unpackHarmlessly(scratch: string, archive: Uint8Array): Promise<HpsError | undefined> {
  const [target, outside] = [`${scratch}/target`, `${scratch}/outside`];
  for (const folder of [target, outside]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
  }
  writeFileSync(`${outside}/secret`, "secret");
  const before = state(outside);
  const failure = await unpackTar(inPieces(archive, 4096), target, { devices: "create" }).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (JSON.stringify(before) !== JSON.stringify(state(outside))) throw new Error("something outside was touched");
  if (failure === undefined || failure instanceof HpsError) return failure;
  throw failure;
}

function state(outside: string): unknown {
  const { mode, uid, gid, mtimeMs, nlink } = lstatSync(outside);
  const secret = lstatSync(`${outside}/secret`);
  const inside = [
    secret.mode,
    secret.uid,
    secret.gid,
    secret.mtimeMs,
    secret.nlink,
    readFileSync(`${outside}/secret`, "utf8"),
  ];
  return [mode, uid, gid, mtimeMs, nlink, readdirSync(outside), inside];
}

/** A change of some bytes, of which headers among them are given a right checksum again, or an end that comes too soon. */
export const mutation = fc.record({
  which: fc.nat(2),
  cut: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 6 }),
  changes: fc.array(
    fc.record({
      where: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      within: fc.nat(511),
      to: fc.nat(255),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});

type Mutation = typeof mutation extends fc.Arbitrary<infer Value> ? Value : never;

export function mutated(archive: Buffer, { cut, changes }: Mutation): Buffer {
  const changed = Buffer.from(archive);
  for (const { where, within, to } of changes) {
    const start = Math.floor((where * changed.length) / 512) * 512;
    const block = changed.subarray(start, start + 512);
    const isHeader = block.toString("latin1", 257, 262) === "ustar";
    block[within] = to;
    if (isHeader) sealed(block);
  }
  return cut === null ? changed : changed.subarray(0, Math.floor(cut * changed.length));
}

const NAMES = [
  "a",
  "b",
  "a/b",
  "a/c",
  "b/a",
  "a/b/c",
  ".",
  "a/../b",
  "../outside/secret",
  "/tmp/x",
  "b/./c//",
  "a/secret",
];
const LINKS = ["a", "b", "a/b", "../outside", "../outside/secret", "/etc/passwd", ".", "..", "../a", "b/a"];

/** Archives of few names, so that entries meet: each may replace, lie in, or link to another. */
export const meetingEntries: fc.Arbitrary<readonly RawEntry[]> = fc
  .array(
    fc.record({
      name: fc.constantFrom(...NAMES),
      type: fc.constantFrom("0", "0", "1", "2", "5", "5", "6", "3"),
      link: fc.constantFrom(...LINKS),
      content: fc.constantFrom("", "one", "another"),
      mode: fc.constantFrom(0o644, 0o755, 0o4711, 0, 0o1777),
      uid: fc.constantFrom(0, 7),
      seconds: fc.nat(5),
    }),
    { maxLength: 12 },
  )
  .map((entries) => entries.map(whole));

function whole(entry: RawEntry): RawEntry {
  const { link = "", content = "", ...rest } = entry;
  const text = String(content);
  if (rest.type === "0") return { ...rest, content: text, pax: { "SCHILY.xattr.user.x": text } };
  return rest.type === "1" || rest.type === "2" ? { ...rest, link } : rest;
}

/** Unpacked without an error, a tree is what reading the archive says, but for folders that no entry stands for. */
export async function unpackTruly(scratch: string, entries: readonly RawEntry[]): Promise<void> {
  const archive = rawTar(entries);
  if ((await unpackHarmlessly(scratch, archive)) !== undefined) return;
  const expected = await recordsOfArchive(inPieces(archive));
  const differences = compareTrees(expected, recordsOfTree(`${scratch}/target`)).filter(
    ({ aspect, found }) => !(aspect === "extra" && found === "directory"),
  );
  if (differences.length > 0) throw new Error(differences.map(showDifference).join("\n"));
}

/** A record of an extended header with any key and value. */
export const anyRecords = fc.dictionary(
  fc.constantFrom(
    "path",
    "linkpath",
    "size",
    "uid",
    "mtime",
    "GNU.sparse.map",
    "GNU.sparse.size",
    "GNU.sparse.realsize",
    "GNU.sparse.major",
    "GNU.sparse.name",
    "SCHILY.acl.access",
    "SCHILY.acl.default",
    "SCHILY.xattr.user.x",
    "SCHILY.xattr.system.posix_acl_access",
    "LIBARCHIVE.xattr.user.%41",
    "RHT.security.selinux",
    "SCHILY.devmajor",
  ),
  fc.oneof(
    fc.constantFrom(
      "",
      "0",
      "1",
      "1.0",
      "-1",
      "1e3",
      "9".repeat(30),
      "a",
      "a/b",
      "..",
      "/x",
      "0,3",
      "3,0,0,3",
      "user::rwx",
    ),
    fc.string({ unit: ANY_CHARACTER, maxLength: 20 }).map((text) => Buffer.from(text).toString("latin1")),
  ),
  { maxKeys: 5 },
);
