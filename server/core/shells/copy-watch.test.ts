import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { rawTar } from "../../../proto/tree/testing/raw-tar.ts";
import { Recorder } from "./recorder.ts";
import type { CopyWish } from "./shell-start.ts";

const SESSION = { id: "s1", host: "h1", operator: "alice", reason: "", startedAt: 0 };

/** What is recorded of a copy whose streams these are. */
async function recorded(
  copy: CopyWish,
  streams: { readonly input?: Uint8Array; readonly output?: Uint8Array; readonly piece?: number },
) {
  const folder = await mkdtemp(path.join(tmpdir(), "hps-copy-"));
  try {
    const start = { command: ["tar"], reason: "", environment: {}, copy };
    const recorder = await Recorder.create({ folder, mode: "strict" }, SESSION, start);
    const { input = Buffer.alloc(0), output = Buffer.alloc(0), piece = 1000 } = streams;
    for (let at = 0; at < input.length; at += piece) await recorder.input(input.subarray(at, at + piece));
    for (let at = 0; at < output.length; at += piece) {
      await recorder.output("output", output.subarray(at, at + piece));
    }
    await recorder.finish({ code: 0, reason: "", traffic: {} });
    const lines = (await readFile(path.join(folder, "s1.jsonl"), "utf8")).trimEnd().split("\n");
    return lines.map((line): Record<string, unknown> => JSON.parse(line));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

const NOISE = randomBytes(200_000);
const ARCHIVE = rawTar([
  { name: "folder/", type: "5", mode: 0o755 },
  { name: "folder/noise", content: NOISE },
  { name: "empty", content: "" },
  { name: "link", type: "2", link: "folder/noise" },
  { name: "\xff", content: "x" },
]);
const FILES = [
  { file: "folder/", type: "directory", permissions: "0755" },
  { file: "folder/noise", type: "file", permissions: "0644", size: 200_000, digest: sha256(NOISE) },
  { file: "empty", type: "file", permissions: "0644", size: 0, digest: sha256("") },
  { file: "link", type: "symlink", permissions: "0644", link: "folder/noise" },
  { file: "\ufffd", fileBytes: "/w==", type: "file", permissions: "0644", size: 1, digest: sha256("x") },
];

test.each([1, 511, 70_000, 1_000_000])("a copy to a host is its files, in pieces of %i bytes too", async (piece) => {
  const small = piece === 1 ? rawTar([{ name: "a", content: "bc" }]) : ARCHIVE;
  const files = piece === 1 ? [{ file: "a", type: "file", permissions: "0644", size: 2, digest: sha256("bc") }] : FILES;
  const [first, ...rest] = await recorded("to-host", { input: small, output: Buffer.from("into\n"), piece });
  expect(first).toMatchObject({ version: 1, copy: "to-host", command: ["tar"] });
  expect(rest).toEqual([
    ...files,
    { output: expect.any(String) },
    ...(piece === 1 ? Array.from({ length: 4 }, () => ({ output: expect.any(String) })) : []),
    { exit: 0, reason: "" },
  ]);
});

test("a copy from a host is its files, and what is sent there is not kept", async () => {
  const lines = await recorded("from-host", { input: Buffer.from("secret"), output: ARCHIVE });
  expect(lines.slice(1, -1)).toEqual(FILES);
});

test("what is called a copy and is none is kept as any other output, from there on", async () => {
  const lines = await recorded("from-host", { output: Buffer.alloc(300_000, "no archive ") });
  expect(lines[1]).toMatchObject({ notAnArchive: expect.any(String) });
  const kept = lines.flatMap(({ output }) => (typeof output === "string" ? [Buffer.from(output, "base64")] : []));
  expect(Buffer.concat(kept).length).toBe(65_536);
});

test("what follows an archive's end does not hide behind it", async () => {
  const lines = await recorded("to-host", { input: Buffer.concat([ARCHIVE, Buffer.from("and more")]) });
  expect(lines.slice(1, 6)).toEqual(FILES);
  expect(lines[6]).toMatchObject({ notAnArchive: expect.stringContaining("follows") });
  expect(Buffer.from(String(lines[7]?.input), "base64").toString()).toContain("and more");
});
