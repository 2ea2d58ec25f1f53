/** The server's end of an agent's shell session, in memory. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { BoundedQueue } from "../../../proto/flow/bounded-queue.ts";
import {
  type ServeShellRequestSchema,
  type ServeShellResponse,
  ServeShellResponseSchema,
  type ShellExit,
  ShellExitSchema,
} from "../../../proto/gen/hps/v1/agent_pb.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { ServeShell } from "../serve-session.ts";
import { ShellSessions } from "../shell-sessions.ts";

/** Quick to end; the home has no profile, because what this machine's user has in it is no part of a test. */
export const TEST_SHELLS = { graceMs: 300, quietMs: 200, home: "/" } as const;

type Response = NonNullable<MessageInitShape<typeof ServeShellResponseSchema>["message"]>;

export interface SessionRig {
  readonly sessions: ShellSessions;
  readonly id: string;
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
  open: { readonly rows?: number; readonly columns?: number; readonly term?: string } = {},
  sessions = new ShellSessions(TEST_SHELLS),
): Promise<SessionRig> {
  const id = newUuid();
  const responses = new BoundedQueue<ServeShellResponse>({ capacity: 1024 * 1024, sizeOf: () => 0 });
  const end = serverEnd(responses);
  await sessions.start({ session: id, command, term: "xterm", rows: 24, columns: 80, ...open }, end.serve);
  const send = async (message: Response) => {
    await responses.put(create(ServeShellResponseSchema, { message }));
  };
  const type = async (text: string) => await send({ case: "input", value: Buffer.from(text) });
  return { ...end, sessions, id, send, type, hangUp: () => responses.end() };
}

function serverEnd(responses: BoundedQueue<ServeShellResponse>) {
  const taken = { output: [] as Buffer[], errorOutput: [] as Buffer[] };
  const exit = Promise.withResolvers<ShellExit>();
  let changed = Promise.withResolvers<void>();
  let gate = Promise.resolve();
  let openGate = () => {};
  const take = ({ message }: MessageInitShape<typeof ServeShellRequestSchema>) => {
    if (message?.case === "output" || message?.case === "errorOutput") {
      taken[message.case].push(Buffer.from(message.value));
    }
    if (message?.case === "exit") exit.resolve(create(ShellExitSchema, message.value));
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const readAll = async (requests: Parameters<ServeShell>[0]) => {
    for await (const request of requests) {
      take(request);
      await gate;
    }
    responses.end();
  };
  const serve: ServeShell = (requests, options) => {
    options?.signal?.addEventListener("abort", () => responses.end());
    void readAll(requests);
    return responses;
  };
  const output = () => Buffer.concat(taken.output);
  const shows = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(output().toString("utf8"));
      if (found !== null) return found;
      await changed.promise;
    }
  };
  return {
    serve,
    exit: exit.promise,
    output,
    errorOutput: () => Buffer.concat(taken.errorOutput),
    shows,
    received: () => output().length,
    pause: () => {
      gate = new Promise((resolve) => {
        openGate = resolve;
      });
    },
    resume: () => {
      gate = Promise.resolve();
      openGate();
    },
  };
}
