import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AgentService, ServeShellRequestSchema, ServeShellResponse } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { parseSignal, parseWindowSize } from "../../proto/values/terminal.ts";
import { describeError, type Log } from "../log.ts";
import type { Program } from "./program.ts";
import type { ProgramInput } from "./program-input.ts";

/** How a session's stream to hpsd is opened: over the present connection, as soon as there is one. */
export type ServeShell = Client<typeof AgentService>["serveShell"];

/** What goes to hpsd. */
export type ShellMessage = MessageInitShape<typeof ServeShellRequestSchema>;

/** The most output in one message: a terminal gives 4 kB at a time, so pieces that wait together go together. */
export const MESSAGE_BYTES = 64 * 1024;

/** How long hpsd may take to end a stream whose session was ended from this side. */
export const LEAVE_MS = 1_000;

/** What ssh answers when a program did not end by itself. */
const NO_CODE = 255;

/** A session and what it is carried with. */
export interface ServedSession {
  readonly id: string;
  readonly program: Program;
  readonly serve: ServeShell;
  /** How long a terminal waits to be resumed. */
  readonly holdMs: number;
  readonly log: Log;
  /** Told what is announced to everybody who has a terminal, as long as it is in here. */
  readonly announced: Set<(text: string) => void>;
  /** Ends the session from this side; its reason, an HpsError, is told to hpsd. */
  readonly signal: AbortSignal;
}

/** What hpsd sends for the program. Throws `invalid` for what makes no sense. */
export function applyToProgram({ message }: ServeShellResponse, program: Program, input: ProgramInput): void {
  switch (message.case) {
    case "input":
      input.put(message.value);
      break;
    case "endOfInput":
      input.end();
      break;
    case "window":
      program.resize(parseWindowSize(message.value));
      break;
    case "signal":
      program.signal(parseSignal(message.value));
      break;
    default:
    // A newer hpsd may know more than we do.
  }
}

/** The last message of a session that is ended from this side. */
export function endedBecause(error: unknown): ShellMessage {
  return { message: { case: "exit", value: { code: NO_CODE, signal: 0, reason: describeError(error) } } };
}

export function inputTaken(input: ProgramInput): ShellMessage {
  return { message: { case: "inputTaken", value: BigInt(input.taken) } };
}
