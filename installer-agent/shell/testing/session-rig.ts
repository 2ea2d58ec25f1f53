/** One shell session of an agent, with hpsd's end of it in memory. */
import type { ShellExit } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import { ShellSessions } from "../shell-sessions.ts";
import type { ShellRequest } from "../start-program.ts";
import { HubEnd, type Response } from "./hub-end.ts";

/** Quick to end; the home has no profile, because what this machine's user has in it is no part of a test. */
export const TEST_SHELLS = { graceMs: 300, quietMs: 200, home: "/" } as const;

export interface SessionRig {
  readonly sessions: ShellSessions;
  readonly id: string;
  readonly hub: HubEnd;
  readonly send: (message: Response) => Promise<void>;
  readonly type: (text: string) => Promise<void>;
  /** hpsd ends the stream. */
  readonly hangUp: () => void;
  /** What has come so far. */
  readonly output: () => Buffer;
  readonly errorOutput: () => Buffer;
  /** The next time the output fits. */
  readonly shows: (pattern: RegExp) => Promise<RegExpExecArray>;
  readonly exit: Promise<ShellExit>;
  /** Nothing is taken from the agent while paused. */
  readonly pause: () => void;
  readonly resume: () => void;
  readonly received: () => number;
}

/** Starts a session of this command, or of a login shell on an 80x24 terminal. */
export async function startSession(
  command: readonly string[] = [],
  open: Partial<ShellRequest> = {},
  sessions = new ShellSessions(TEST_SHELLS),
): Promise<SessionRig> {
  const id = newUuid();
  const hub = new HubEnd(command.length === 0);
  await sessions.start({ session: id, command, term: "xterm", rows: 24, columns: 80, ...open }, hub.serve);
  const send = async (message: Response) => await hub.send(message);
  const output = () => Buffer.concat(hub.outputs);
  return {
    ...{ sessions, id, hub, send, output, exit: hub.exit },
    type: async (text) => await send({ case: "input", value: Buffer.from(text) }),
    hangUp: () => hub.hangUp(),
    errorOutput: () => Buffer.concat(hub.errorOutputs),
    shows: async (pattern) => {
      for (;;) {
        const { rung } = hub.changed;
        const found = pattern.exec(output().toString("utf8"));
        if (found !== null) return found;
        await rung;
      }
    },
    pause: () => hub.pause(),
    resume: () => hub.resume(),
    received: () => hub.received,
  };
}
