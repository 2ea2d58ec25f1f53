/** Sessions of a host that is this machine: a command is run as it is, in a folder of its own. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import type { OpenSessionResponseSchema, ShellService, StartSession } from "../../proto/gen/hps/v1/shell_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";

type Response = MessageInitShape<typeof OpenSessionResponseSchema>;

export interface RunningHost {
  readonly openSession: Handlers<typeof ShellService>["openSession"];
  /** What was asked for, in order. */
  readonly started: readonly StartSession[];
}

/** `path` is where programs are looked for. */
export function runningHost(home: string, path: string): RunningHost {
  const started: StartSession[] = [];
  const openSession: RunningHost["openSession"] = async function* (requests, { signal: gone }) {
    const messages = requests[Symbol.asyncIterator]();
    const first = await messages.next();
    if (first.done === true || first.value.message.case !== "start") throw new Error("no start");
    started.push(first.value.message.value);
    const [program = "", ...args] = first.value.message.value.command;
    const child = spawn(program, args, { cwd: home, env: { PATH: path }, detached: true });
    gone.addEventListener("abort", () => hangUp(child.pid));
    const output = new BoundedQueue<Response>({ capacity: 256 * 1024, sizeOf: () => 65_536 });
    const send = async (stream: typeof child.stdout, kind: "output" | "errorOutput") => {
      for await (const value of stream) await output.put({ message: { case: kind, value } });
    };
    const streams = Promise.all([send(child.stdout, "output"), send(child.stderr, "errorOutput")]);
    child.stdin.on("error", () => undefined);
    child.on("exit", (code, signal) => {
      const number = signal === null ? 0 : constants.signals[signal];
      const value = { code: code ?? 128 + number, signal: number };
      void streams.then(async () => {
        await output.put({ message: { case: "exit", value } });
        output.end();
      });
    });
    yield { message: { case: "session", value: { id: "s1" } } };
    const reading = (async () => {
      for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
        const { message } = next.value;
        if (message.case === "input") child.stdin.write(message.value);
        else if (message.case === "endOfInput") child.stdin.end();
        else if (message.case === "signal") child.kill(message.value);
      }
    })();
    yield* output;
    await reading.catch(() => undefined);
  };
  return { openSession, started };
}

/** As an agent does: all that the command started. */
function hangUp(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, "SIGHUP");
  } catch {
    // All of it has ended.
  }
}
