import { createHash } from "node:crypto";
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseTerminalType } from "../../../proto/values/terminal.ts";
import { Recorder } from "./recorder.ts";
import type { RecordingMode } from "./recording.ts";
import type { ShellStart } from "./shell-start.ts";

const START: ShellStart = {
  command: [],
  terminal: { term: parseTerminalType("xterm"), rows: 24, columns: 80 },
  reason: "",
  environment: {},
};
const END = { code: 0, reason: "", traffic: {} };
const WORDS = Buffer.from("h\u00e9llo w\u00f6rld \u{1f600}\r\n");

async function makeFolder() {
  const folder = await mkdtemp(path.join(tmpdir(), "hps-recorder-"));
  const session = { id: "s1", host: "h1", operator: "alice", reason: "", startedAt: Date.now() };
  const options = { folder, mode: "strict" as RecordingMode };
  const made: Recorder[] = [];
  const kept = async (making: Promise<Recorder>) => {
    const recorder = await making;
    made.push(recorder);
    return recorder;
  };
  const read = async (extension: string) => await readFile(path.join(folder, `s1.${extension}`));
  return {
    ...{ folder, session, options, read },
    file: (extension: string) => path.join(folder, `s1.${extension}`),
    create: async (start = START) => await kept(Recorder.create(options, session, start)),
    reopen: async (start = START, later = 0) =>
      await kept(Recorder.reopen(options, { ...session, command: start.command }, session.startedAt + later)),
    [Symbol.asyncDispose]: async () => {
      // Those that stand for a process that was killed are open still.
      for (const recorder of made) await recorder.finish(END);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Header and events of a cast in which every line is whole. */
function played(cast: Buffer): [number, string, string][] {
  const [header = "", ...lines] = cast.toString("utf8").trimEnd().split("\n");
  expect(JSON.parse(header)).toMatchObject({ version: 3 });
  return lines.filter((line) => !line.startsWith("#")).map((line) => JSON.parse(line));
}

function shown(cast: Buffer): string {
  const texts = played(cast).filter(([, code]) => code === "o");
  return texts.map(([, , data]) => data).join("");
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

test("a recording whose hpsd was killed goes on behind what it holds, in time and in bytes", async () => {
  await using folder = await makeFolder();
  const first = await folder.create();
  await first.output("output", WORDS);
  expect(first.outputBytes).toBe(WORDS.length);
  // Nothing is closed: the process is gone.
  const second = await folder.reopen(START, 60_000);
  expect(second.outputBytes).toBe(WORDS.length);
  await second.mark("hpsd was restarted");
  await second.output("output", Buffer.from("more"));
  const digest = await second.finish(END);
  const cast = await folder.read("cast");
  expect(digest).toEqual({ bytes: cast.length, digest: sha256(cast) });
  expect(await folder.read("raw")).toEqual(Buffer.concat([WORDS, Buffer.from("more")]));
  expect(shown(cast)).toBe(`${WORDS}more`);
  const marked = played(cast).find(([, code]) => code === "m");
  expect(marked?.[0]).toBeGreaterThan(59);
  expect(cast.toString()).toContain(`# raw ${WORDS.length + 4} bytes ${sha256(await folder.read("raw"))}`);
});

test("wherever the two files were cut, what goes on is whole, and the raw file is what counts", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(1000), fc.nat(1000), fc.nat(30), async (castCut, rawCut, piece) => {
      await using folder = await makeFolder();
      const first = await folder.create();
      const bytes = Buffer.concat([WORDS, Uint8Array.of(0xff, 0xc3), WORDS, WORDS]);
      for (let from = 0; from < bytes.length; from += piece + 1) {
        await first.output("output", bytes.subarray(from, from + piece + 1));
      }
      const header = (await folder.read("cast")).indexOf(10) + 1;
      const castBytes = (await folder.read("cast")).length;
      await truncate(folder.file("cast"), header + (castCut % (castBytes - header + 1)));
      await truncate(folder.file("raw"), rawCut % (bytes.length + 1));
      const second = await folder.reopen();
      expect(second.outputBytes).toBe(rawCut % (bytes.length + 1));
      await second.output("output", bytes.subarray(second.outputBytes));
      const digest = await second.finish(END);
      const cast = await folder.read("cast");
      expect(digest.digest).toBe(sha256(cast));
      expect(await folder.read("raw")).toEqual(bytes);
      expect(shown(cast)).toBe(bytes.toString("utf8"));
    }),
    { numRuns: 60 },
  );
});

test("an exit that hpsd did not live to tell is taken back, once and again", async () => {
  await using folder = await makeFolder();
  const first = await folder.create();
  await first.output("output", Buffer.from([...WORDS, 0xf0, 0x9f]));
  await first.finish(END);
  const second = await folder.reopen();
  await second.output("output", Uint8Array.of(0x98, 0x80));
  await (await folder.reopen()).finish({ ...END, code: 7 });
  const cast = await folder.read("cast");
  expect(shown(cast)).toBe(`${WORDS}\u{1f600}`);
  const codes = played(cast).map(([, code]) => code);
  expect(codes.filter((code) => code === "x")).toEqual(["x"]);
  expect(codes.at(-1)).toBe("x");
});

test("what is typed is kept when asked for, exact beside the cast, and goes on too", async () => {
  await using folder = await makeFolder();
  const start = { ...START, recordInput: true };
  const first = await folder.create(start);
  await first.input(Buffer.from("ls\r"));
  await first.output("output", Buffer.from("ls\r\n"));
  const second = await folder.reopen(start);
  await second.input(Uint8Array.of(0xff));
  await second.input(Buffer.from("exit\r"));
  await second.finish(END);
  const input = await folder.read("input");
  expect(input).toEqual(Buffer.from([...Buffer.from("ls\r"), 0xff, ...Buffer.from("exit\r")]));
  const cast = await folder.read("cast");
  const typed = played(cast).filter(([, code]) => code === "i");
  expect(typed.map(([, , data]) => data).join("")).toBe("ls\r\ufffdexit\r");
  expect(cast.toString()).toContain(`; input ${input.length} bytes ${sha256(input)}`);
});

test("without that, no key is in any file", async () => {
  await using folder = await makeFolder();
  const recorder = await folder.create();
  await recorder.input(Buffer.from("secret\r"));
  await recorder.finish(END);
  expect((await folder.read("cast")).toString()).not.toContain("secret");
  await expect(folder.read("input")).rejects.toThrow("ENOENT");
});

test("a command's recording is ended whole, whatever its last line was", async () => {
  await using folder = await makeFolder();
  const start = { command: ["tar", "x"], reason: "", environment: {}, recordInput: true };
  const first = await folder.create(start);
  await first.input(Buffer.from("in"));
  await first.output("errorOutput", Buffer.from("err"));
  await appendFile(folder.file("jsonl"), '{"output":"AAA');
  const second = await folder.reopen(start);
  await second.output("output", Buffer.from("not kept"));
  const digest = await second.finish({ code: null, reason: "hpsd ended", traffic: {} });
  const text = await folder.read("jsonl");
  expect(digest.digest).toBe(sha256(text));
  const lines = text.toString().trimEnd().split("\n");
  expect(lines.slice(1).map((line) => JSON.parse(line))).toEqual([
    { input: Buffer.from("in").toString("base64") },
    { errorOutput: Buffer.from("err").toString("base64") },
    { exit: null, reason: "hpsd ended" },
  ]);
});

test("what cannot be gone on with is refused under strict, and counted under best-effort", async () => {
  await using folder = await makeFolder();
  await expect(folder.reopen()).rejects.toMatchObject({ code: "unavailable" });
  await writeFile(folder.file("raw"), "x");
  await writeFile(folder.file("cast"), "torn");
  await expect(folder.reopen()).rejects.toMatchObject({ code: "unavailable" });
  const { id, startedAt } = folder.session;
  const recorder = await Recorder.reopen(
    { ...folder.options, mode: "best-effort" },
    { id, startedAt, command: [] },
    startedAt,
  );
  await recorder.output("output", WORDS);
  expect([recorder.complete, recorder.outputBytes]).toEqual([false, WORDS.length]);
});
