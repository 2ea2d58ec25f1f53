/** Makes of a chain that an agent kept the recording that hpsd would have made, while it checks the chain. */
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { isIP } from "node:net";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Trust } from "../../../certs/trust.ts";
import { verifyPeer } from "../../../certs/verify.ts";
import { type ReadLink, readChain } from "../../../proto/direct/chain.ts";
import type { DirectBegin, DirectEnd, DirectRecord } from "../../../proto/gen/hps/v1/direct_pb.ts";
import { StartSessionSchema } from "../../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseWindowSize } from "../../../proto/values/terminal.ts";
import { CommandRecording } from "./command-recording.ts";
import type { RecordedSession, Recording } from "./recording.ts";
import { fileOfPart, type RecordingPart } from "./recording-files.ts";
import { outcomeOf } from "./session-outcome.ts";
import type { SessionEnding } from "./shell-session.ts";
import { parseShellStart, type ShellStart } from "./shell-start.ts";
import { TerminalRecording } from "./terminal-recording.ts";
import { Traffic } from "./traffic.ts";

export interface KeptSource {
  readonly session: string;
  readonly hostId: string;
  /** The host's name, for the recording. */
  readonly host: string;
  /** The chain's file, whole. */
  readonly file: string;
  /** What its last link must be. */
  readonly digest: string;
  /** Where recordings lie. */
  readonly folder: string;
  readonly trust: Trust;
  readonly now: number;
}

/** What an agent says of a session; times are its own, brought before `now`. */
export interface KeptSession {
  readonly begin: DirectBegin;
  readonly start: ShellStart;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly ending: SessionEnding;
  /** What the recording holds, all its files together. */
  readonly bytes: number;
}

const PARTS: readonly RecordingPart[] = ["cast", "raw", "input", "command"];

/** `data-loss` or `invalid` where the chain is not what it should be; then nothing of the recording is left. */
export async function takeKeptRecording(source: KeptSource): Promise<KeptSession> {
  const { folder, session } = source;
  // An hpsd that died in the middle has left some of it: nothing refers to it.
  await removeParts(folder, session);
  const taking = new Taking(source);
  try {
    for await (const link of readChain(session, createReadStream(source.file))) await taking.take(link);
    return await taking.finish();
  } catch (error) {
    await taking.giveUp();
    await removeParts(folder, session);
    throw error;
  }
}

async function removeParts(folder: string, session: string): Promise<void> {
  for (const part of PARTS) await rm(fileOfPart(folder, session, part), { force: true });
}

interface Begun {
  readonly begin: DirectBegin;
  readonly start: ShellStart;
  readonly startedAt: number;
  readonly recording: Recording;
  readonly traffic: Traffic;
}

class Taking {
  readonly #source: KeptSource;
  #begun: Begun | undefined;
  #end: DirectEnd | undefined;
  #elapsed = 0;
  #digest = "";
  #finished = false;

  constructor(source: KeptSource) {
    this.#source = source;
  }

  async take({ record, digest }: ReadLink): Promise<void> {
    this.#digest = digest;
    this.#elapsed = Math.max(this.#elapsed, Number(record.elapsed));
    const { event } = record;
    if (this.#end !== undefined) throw altered("something comes after its end");
    if (event.case === "begin") await this.#begin(event.value);
    else if (this.#begun === undefined) throw altered("it does not begin with its beginning");
    else if (event.case === "end") this.#end = event.value;
    else await recordEvent(this.#begun, event);
  }

  async finish(): Promise<KeptSession> {
    const { digest, now } = this.#source;
    const { begin, start, startedAt, recording, traffic } = this.#begun ?? refuse("it has no beginning");
    const end = this.#end ?? refuse("it has no end");
    if (this.#digest !== digest) throw altered("its last link is not the one that was announced");
    const outcome = end.exit === undefined ? refuse("its end is empty") : outcomeOf(end.exit);
    const counts = traffic.summary();
    this.#finished = true;
    const held = await recording.finish({ code: outcome.code, reason: outcome.reason, traffic: counts });
    const endedAt = Math.min(startedAt + this.#elapsed, now);
    return {
      begin,
      start,
      startedAt,
      endedAt,
      bytes: recording.bytes,
      ending: { ...outcome, recording: held, traffic: counts },
    };
  }

  /** Closes its files. */
  async giveUp(): Promise<void> {
    if (this.#finished) return;
    this.#finished = true;
    await this.#begun?.recording.finish({ code: null, reason: "", traffic: {} }).catch(() => undefined);
  }

  async #begin(begin: DirectBegin): Promise<void> {
    const { session, hostId, host, folder, trust, now } = this.#source;
    if (this.#begun !== undefined) throw altered("it begins twice");
    if (begin.session !== session || begin.hostId !== hostId) throw altered("it is another host's or session's");
    const said = begin.startTime === undefined ? now : timestampMs(begin.startTime);
    const startedAt = Math.max(0, Math.min(said, now));
    checkOperator(begin, trust, startedAt);
    const { command, term, window, reason, recordInput, address } = begin;
    if (address !== "" && isIP(address) === 0) refuse("it came from an address that is none");
    const start = parseShellStart(
      create(StartSessionSchema, { command, term, reason, ...(window !== undefined && { window }) }),
    );
    const known = { id: session, host, operator: begin.operator, reason, startedAt };
    const recording = await this.#open(folder, known, { ...start, recordInput });
    const traffic = new Traffic({ hashed: start.terminal === undefined });
    this.#begun = { begin, start, startedAt, recording, traffic };
  }

  async #open(folder: string, known: RecordedSession, start: ShellStart): Promise<Recording> {
    const { terminal, recordInput = false } = start;
    if (terminal === undefined) return await CommandRecording.create(folder, known, start);
    return await TerminalRecording.create(folder, known, { ...terminal, recordInput, clock: () => this.#elapsed });
  }
}

async function recordEvent({ recording, traffic }: Begun, event: DirectRecord["event"]): Promise<void> {
  switch (event.case) {
    case "output":
    case "errorOutput":
      traffic.count(event.case, event.value);
      return await recording.output(event.case, event.value);
    case "input":
      traffic.count("input", event.value);
      return await recording.input(event.value);
    case "window":
      return await recording.resize(parseWindowSize(event.value));
    default:
      throw altered("a link says nothing that this hpsd knows");
  }
}

/** The agent's word that it was this operator has at least that operator's certificate, which our authority signed. */
function checkOperator({ operator, certificate }: DirectBegin, trust: Trust, at: number): void {
  try {
    const { identity } = verifyPeer(trust, { leaf: Buffer.from(certificate), purpose: "client", now: at });
    if (identity.kind === "operator" && identity.name === operator) return;
  } catch (cause) {
    throw altered("the operator's certificate in it was not good then", cause);
  }
  throw altered("the certificate in it is not the operator's that it names");
}

function refuse(what: string): never {
  throw altered(what);
}

function altered(what: string, cause?: unknown): HpsError {
  return new HpsError("data-loss", `the recording is not as an agent leaves it: ${what}`, { cause });
}
