import type { ServeShellRequest, ServeShellResponse, ShellExit } from "../../../proto/gen/hps/v1/agent_pb.ts";
import type { HpsError } from "../../../proto/values/hps-error.ts";
import type { SessionRow } from "../../store/sessions.ts";

/** What goes to the program. */
export type ShellInput = Exclude<ServeShellResponse["message"], { case: undefined } | { case: "recorded" }>;
/** What comes from it. */
export type ShellOutput = Extract<ServeShellRequest["message"], { case: "output" | "errorOutput" | "exit" }>;
/** What a participant is sent. */
export type OperatorOutput =
  | Exclude<ShellOutput, { case: "exit" }>
  | { readonly case: "exit"; readonly value: Pick<ShellExit, "code" | "signal" | "reason"> };

/** One operator's end of a session, whichever door it came through. */
export interface Participant {
  readonly id: string;
  readonly session: SessionRow;
  /** All it is sent, in order; the last is `exit`. Ends with the error of `refuse`. Read once. */
  readonly output: AsyncIterable<OperatorOutput>;
  /** Resolves when there is room for more. Throws `invalid` for what no session takes: refuse the participant then. */
  send(input: ShellInput): Promise<void>;
  /** Its connection is gone, or it has been sent all. */
  leave(reason: string): void;
  /** It may no longer take part, or broke the rules: its output ends with this error. */
  refuse(error: HpsError): void;
}
