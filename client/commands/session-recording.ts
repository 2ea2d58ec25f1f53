/** What there is to do with a recording: play it, take it away, check it. */
import { createHash } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { RecordingPart } from "../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { note, printOne } from "../output/print.ts";
import { VERDICT_VIEW } from "../output/recording-view.ts";
import { write } from "../output/terminal.ts";
import { enumNumber } from "../output/words.ts";
import type { Hps } from "../sdk/connect.ts";
import type { Call } from "./call.ts";
import type { AddCommands } from "./group.ts";

const PLAY_HELP = `
A duration is 2s, 10m or 1h30m here; a bare number is seconds.
Keys: space pauses, . goes one step, left and right go 5 s, up and down change the speed, q ends.
Only sequences that draw reach your terminal: nothing that sets its clipboard or title, or makes it answer.`;

export const addRecordingCommands: AddCommands = (group, tools) => {
  group
    .command("play")
    .description("play a session's recording, of an open one up to now")
    .argument("<session>")
    .option("--speed <factor>", "so many times as fast", "1")
    .option("--idle-limit <duration>", "shorten longer pauses to this")
    .option("--from <duration>", "begin so far into it", "0s")
    .option("--raw", "pass on every escape sequence: only for recordings you trust")
    .addHelpText("after", PLAY_HELP)
    .action(tools.run(async (call) => (await import("./session-play.ts")).playSession(call)));
  group
    .command("export")
    .description("write a file of a session's recording to standard output, or into a new file")
    .argument("<session>")
    .option(
      "--part <part>",
      "cast (asciicast v3), raw, input; or command. Default: cast or command, as the session was",
    )
    .option("--out <file>", "write it there, into a new file")
    .action(tools.run(exportRecording));
  group
    .command("verify")
    .description("compare a recording with what its session's row and the audit log say of it")
    .argument("<session>")
    .action(tools.run(verify));
};

/** Exit code 13 when something is not as it should be. */
async function verify(call: Call): Promise<number> {
  const hps = await call.connect();
  const verdict = await hps.shells.verifyRecording({ session: call.operand(0) }, call.stream);
  await printOne(call, VERDICT_VIEW, verdict);
  const [problem] = verdict.problems;
  if (problem === undefined) return 0;
  throw new HpsError("data-loss", problem, { hint: "hpsctl audit verify says whether the audit log itself is whole" });
}

async function exportRecording(call: Call): Promise<number> {
  const session = call.operand(0);
  const { part: word, out } = call.options<{ part?: string; out?: string }>();
  const part =
    word === undefined ? RecordingPart.UNSPECIFIED : enumNumber(RecordingPart, word, "a part of a recording");
  const hps = await call.connect();
  if (out === undefined && call.terminal.stdout.isTTY === true) {
    throw new HpsError("invalid", "a recording is not for a terminal: it may do anything to it", {
      hint: `hpsctl session play ${session} shows it; or use --out FILE, or a pipe`,
    });
  }
  const digest = out === undefined ? await toStdout(call, hps, part) : await toFile(call, hps, { part, out });
  await checkWhole(call, hps, { part, digest });
  return 0;
}

interface Wish {
  readonly part: RecordingPart;
  readonly out: string;
}

async function toStdout(call: Call, hps: Hps, part: RecordingPart): Promise<string> {
  return await carry(call, hps, part, async (data) => await write(call.terminal.stdout, data));
}

/** A file that is not whole does not stay. */
async function toFile(call: Call, hps: Hps, { part, out }: Wish): Promise<string> {
  const file = await open(out, "wx", 0o600).catch((cause: unknown): never => {
    throw new HpsError("invalid", `cannot make the file ${out}`, { hint: "name one that does not exist yet", cause });
  });
  try {
    return await intoFile(call, hps, part, file);
  } catch (error) {
    await rm(out, { force: true });
    throw error;
  }
}

async function intoFile(call: Call, hps: Hps, part: RecordingPart, file: FileHandle): Promise<string> {
  try {
    const digest = await carry(call, hps, part, async (data) => await file.appendFile(data));
    await file.sync();
    return digest;
  } finally {
    await file.close();
  }
}

async function carry(
  call: Call,
  hps: Hps,
  part: RecordingPart,
  take: (data: Uint8Array) => Promise<void>,
): Promise<string> {
  const hash = createHash("sha256");
  for await (const { data } of hps.shells.readRecording({ session: call.operand(0), part }, call.stream)) {
    hash.update(data);
    await take(data);
  }
  return `sha256:${hash.digest("hex")}`;
}

/** The part that stands for all of it is what the session's row says it is. */
async function checkWhole(
  call: Call,
  hps: Hps,
  { part, digest }: { readonly part: RecordingPart; readonly digest: string },
): Promise<void> {
  if (part === RecordingPart.RAW || part === RecordingPart.INPUT) return;
  const session = await hps.shells.getSession({ session: call.operand(0) }, call.once);
  if (session.endTime === undefined) {
    await note(call.terminal, "hpsctl: the session goes on; this is what was recorded up to now");
  } else if (digest !== session.recordingDigest) {
    throw new HpsError("data-loss", "what was exported is not what was recorded when the session ended", {
      hint: `hpsctl session verify ${session.id}`,
    });
  }
}
