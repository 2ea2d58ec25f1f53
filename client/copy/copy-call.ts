import type { CopyDirection } from "../../proto/gen/hps/v1/shell_pb.ts";
import type { Call } from "../commands/call.ts";
import type { Hps } from "../sdk/connect.ts";
import { Connection } from "../shell/connection.ts";
import { whenThere } from "../shell/wait-for-host.ts";

/** One `hpsctl cp`. */
export interface CopyCall {
  readonly call: Call;
  readonly hps: Hps;
  readonly reason: string;
  /** For an agent to attach. */
  readonly waitMs: number;
  readonly recursive: boolean;
  /** Permission bits and times as they are. */
  readonly exact: boolean;
  /** What was left out or is not as it should be, one sentence each. */
  readonly onProblem: (sentence: string) => void;
}

/** A session whose command copies files. */
export async function openCopy(
  { call, hps, reason, waitMs }: CopyCall,
  host: string,
  command: readonly string[],
  direction: CopyDirection,
): Promise<Connection> {
  const start = { host, reason, command: [...command], copy: { direction } };
  return await whenThere(call, hps, { host, limitMs: waitMs }, () => Connection.open(hps, start, call.stream));
}
