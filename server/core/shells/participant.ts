import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServeShellRequest, ServeShellResponse, ShellExit } from "../../../proto/gen/hps/v1/agent_pb.ts";
import type { DetachedSessionSchema, OpenSessionRequest, SessionNotice } from "../../../proto/gen/hps/v1/shell_pb.ts";
import type { HpsError } from "../../../proto/values/hps-error.ts";
import type { SessionRow } from "../../store/sessions.ts";

/** What a participant may send. */
export type ShellInput = Exclude<OpenSessionRequest["message"], { case: undefined } | { case: "start" }>;
/** What goes to the agent, and through it to the program. */
export type AgentInput = Exclude<ServeShellResponse["message"], { case: undefined } | { case: "recorded" }>;
/** What comes from the program. */
export type ShellOutput = Extract<ServeShellRequest["message"], { case: "output" | "errorOutput" | "exit" }>;
/** What is shown of it. */
export type ShownOutput = Exclude<ShellOutput, { case: "exit" }>;

/** After it nothing comes. */
export type LastOutput =
  | { readonly case: "exit"; readonly value: Pick<ShellExit, "code" | "signal" | "reason"> }
  | { readonly case: "detached"; readonly value: MessageInitShape<typeof DetachedSessionSchema> };

/** For the person, not for the program. */
interface NoticeOutput {
  readonly case: "notice";
  readonly value: Pick<SessionNotice, "kind" | "text" | "participant">;
}

/** What a participant is sent. */
export type OperatorOutput = ShownOutput | NoticeOutput | LastOutput;

/** One operator's end of a session, whichever door it came through. */
export interface Participant {
  readonly id: string;
  readonly session: SessionRow;
  /** All it is sent, in order; the last is `exit` or `detached`. Ends with the error of `refuse`. Read once. */
  readonly output: AsyncIterable<OperatorOutput>;
  /** Resolves when there is room for more. Throws `invalid` for what no session takes: refuse the participant then. */
  send(input: ShellInput): Promise<void>;
  /** Its connection is gone, or it has been sent all. A terminal goes on for a time, and its owner may come back. */
  leave(reason: string): void;
  /** It may no longer take part, or broke the rules: its output ends with this error. The owner's session ends. */
  refuse(error: HpsError): void;
}

/** Who takes part, as others see it. */
export interface Seat {
  readonly id: string;
  readonly operator: string;
  readonly role: SeatRole;
  readonly address: string;
  /** UTC milliseconds. */
  readonly joinedAt: number;
}

/** The owner began the session or is back in it; a writer was let in to type; a watcher only sees. */
export type SeatRole = "owner" | "writer" | "watcher";
