import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { RecordingPart } from "../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { run } from "../run.ts";
import { fakeTerminal } from "../testing/fake-terminal.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";

const start = useServers();
const TIME = timestampFromMs(Date.parse("2026-11-20T09:30:00Z"));
const CAST = [
  '{"version":3,"term":{"cols":200,"rows":33}}',
  '[0.01, "o", "\\u001b]0;title\\u0007\\u001b[?1049hhello"]',
  '[5000, "o", " world"]',
  '[0.01, "x", "7"]',
  "",
].join("\n");
const COMMAND = [
  JSON.stringify({ version: 1, command: ["cat", "x"] }),
  JSON.stringify({ output: Buffer.from("out\x1b]52;c;eA==\x07\n").toString("base64") }),
  JSON.stringify({ errorOutput: Buffer.from("err\n").toString("base64") }),
  JSON.stringify({ exit: 3, reason: "", inputBytes: "0", outputBytes: "4", errorBytes: "4" }),
  "",
].join("\n");

function sha256(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

interface Held {
  readonly command?: readonly string[];
  readonly text?: string;
  readonly digest?: string;
  readonly open?: boolean;
}

/** A server with one session, and what was asked of its recording. */
async function serverWith({ command = [], text = CAST, digest = sha256(text), open = false }: Held = {}) {
  const asked: RecordingPart[] = [];
  const session = {
    ...{ id: "s1", command: [...command], startTime: TIME, recordingDigest: open ? "" : digest },
    ...(!open && { endTime: TIME }),
  };
  const server = await start({
    shells: {
      getSession: async () => session,
      readRecording: async function* ({ part }) {
        asked.push(part);
        for (let from = 0; from < text.length; from += 7) yield { data: Buffer.from(text.slice(from, from + 7)) };
      },
    },
  });
  return { server, asked };
}

test("export writes the recording, byte for byte, and into no file that exists", async () => {
  const { server, asked } = await serverWith();
  const piped = await hpsctl(server, "session export s1");
  expect([piped.code, piped.out, piped.err]).toEqual([0, CAST, ""]);
  const out = join(server.folder, "a.cast");
  expect((await hpsctl(server, `session export s1 --part raw --out ${out}`)).code).toBe(0);
  expect(await readFile(out, "utf8")).toBe(CAST);
  expect((await stat(out)).mode & 0o777).toBe(0o600);
  expect((await hpsctl(server, `session export s1 --out ${out}`)).code).toBe(2);
  expect(asked).toEqual([RecordingPart.UNSPECIFIED, RecordingPart.RAW]);
  expect((await hpsctl(server, "session export s1 --part video")).code).toBe(2);
});

test("export says what is not as it was, and what is not whole", async () => {
  const altered = await serverWith({ digest: sha256("other") });
  const told = await hpsctl(altered.server, "session export s1");
  expect(told.code).toBe(13);
  expect(told.err).toContain("is not what was recorded when the session ended");
  const open = await serverWith({ open: true });
  const until = await hpsctl(open.server, "session export s1");
  expect([until.code, until.out]).toEqual([0, CAST]);
  expect(until.err).toContain("the session goes on");
});

test("a file that could not be written whole does not stay, and a terminal gets no recording", async () => {
  const server = await start({
    shells: {
      readRecording: async function* () {
        yield { data: Buffer.from("begun") };
        throw new HpsError("not-found", "the recording was removed");
      },
    },
  });
  const out = join(server.folder, "b.cast");
  expect((await hpsctl(server, `session export s1 --out ${out}`)).code).toBe(3);
  await expect(stat(out)).rejects.toThrow("ENOENT");
  const onTerminal = await hpsctl(server, "session export s1", { tty: true });
  expect(onTerminal.code).toBe(2);
  expect(onTerminal.err).toContain("session play s1");
});

test("play shows what is safe, says how it ended, and leaves the terminal as it was", async () => {
  const { server, asked } = await serverWith();
  const { code, out, err } = await hpsctl(server, "session play s1 --idle-limit 10ms", { tty: true });
  expect(code).toBe(0);
  expect(asked).toEqual([RecordingPart.CAST]);
  expect(out).toContain("recorded at 200x33");
  expect(out).toContain("\x1b[?1049hhello world");
  expect(out).not.toContain("title");
  expect(out.indexOf("\x1b[?1049l")).toBeGreaterThan(out.indexOf(" world"));
  expect(err).toContain("the session ended with exit code 7");
  const raw = await hpsctl(server, "session play s1 --raw --from 2h");
  expect(raw.out).toContain("\x1b]0;title\x07");
});

test("q ends a playing in the middle of a pause, an interrupt too", async () => {
  const { server } = await serverWith();
  for (const leave of ["q", "interrupt"]) {
    const terminal = fakeTerminal({ environment: server.environment, tty: true });
    const playing = run(["session", "play", "s1"], terminal);
    await expect.poll(() => terminal.printed()).toContain("hello");
    if (leave === "q") terminal.stdin.write("q");
    else terminal.interrupt();
    expect(await playing).toBe(leave === "q" ? 0 : 130);
    expect(terminal.printed()).not.toContain("world");
    expect(terminal.printed()).toContain("\x1b[?1049l");
  }
});

test("a bare number is seconds, with a fraction too", async () => {
  const { server } = await serverWith();
  const began = performance.now();
  const { code, out } = await hpsctl(server, "session play s1 --idle-limit 0.01", { tty: true });
  expect([code, out.includes("hello world")]).toEqual([0, true]);
  expect(performance.now() - began).toBeLessThan(5_000);
  expect((await hpsctl(server, "session play s1 --from 7200 --idle-limit 2")).out).toContain("hello world");
  for (const time of ["2.x", "", "-1", "1e3"]) {
    expect((await hpsctl(server, ["session", "play", "s1", `--idle-limit=${time}`])).code).toBe(2);
  }
});

test("a speed that is none is refused", async () => {
  const { server } = await serverWith();
  for (const speed of ["0", "-1", "fast", "1001"]) {
    expect((await hpsctl(server, ["session", "play", "s1", `--speed=${speed}`])).code).toBe(2);
  }
});

test("a command's recording is its outputs, and what it was", async () => {
  const { server, asked } = await serverWith({ command: ["cat", "x"], text: COMMAND });
  const onTerminal = await hpsctl(server, "session play s1", { tty: true });
  expect([onTerminal.code, onTerminal.out]).toEqual([0, "out\n"]);
  expect(onTerminal.err).toContain('ran ["cat","x"]');
  expect(onTerminal.err).toContain("err\n");
  expect(onTerminal.err).toContain("exit code 3; input 0 bytes, output 4");
  expect((await hpsctl(server, "session play s1")).out).toBe("out\x1b]52;c;eA==\x07\n");
  expect(asked).toEqual([RecordingPart.COMMAND, RecordingPart.COMMAND]);
});

test("a recording that is damaged is told as that", async () => {
  const { server } = await serverWith({ text: "not a cast\n" });
  expect((await hpsctl(server, "session play s1")).code).toBe(13);
});

test("verify prints the digests, and what does not agree is exit code 13", async () => {
  const problems: string[] = [];
  const server = await start({
    shells: {
      verifyRecording: async () => ({
        ...{ problems, digest: "sha256:1", sessionDigest: "sha256:1", auditDigest: "sha256:1" },
        auditSequence: 7n,
      }),
    },
  });
  const good = await hpsctl(server, "session verify s1");
  expect([good.code, good.err]).toEqual([0, ""]);
  expect(good.out).toContain("as it was");
  problems.push("the recording is not what it was when the session ended");
  const bad = await hpsctl(server, "session verify s1");
  expect(bad.code).toBe(13);
  expect(bad.err).toContain("is not what it was");
});
