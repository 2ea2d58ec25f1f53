import type { MessageInitShape } from "@bufbuild/protobuf";
import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import type { AgentService, ServeShellRequestSchema, ServeShellResponse } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { parseSignal, parseWindowSize } from "../../proto/values/terminal.ts";
import type { Program, ProgramOutput } from "./program.ts";

/** How a session's stream to hpsd is opened. */
export type ServeShell = Client<typeof AgentService>["serveShell"];

type Request = MessageInitShape<typeof ServeShellRequestSchema>;
type Input = { readonly bytes: Uint8Array } | "end";

/** Input the program has not read yet; while it is full, window and signals wait too. */
const INPUT_CAPACITY = 256 * 1024;
/** A terminal gives at most 4 kB at a time: pieces that wait together go as one message. */
const MESSAGE_BYTES = 64 * 1024;

export interface ServedSession {
  readonly id: string;
  readonly program: Program;
  readonly serve: ServeShell;
  /** Ends the session from this side. */
  readonly signal: AbortSignal;
}

/** Carries one session until its program or its stream ends, whichever is first; nothing is left running. Never rejects. */
export async function serveSession({ id, program, serve, signal }: ServedSession): Promise<void> {
  const input = new BoundedQueue<Input>({
    capacity: INPUT_CAPACITY,
    sizeOf: (item) => (item === "end" ? 0 : item.bytes.length),
  });
  const writing = writeInput(program, input);
  try {
    for await (const response of serve(requestsOf(id, program), { signal })) {
      await apply(response, program, input);
    }
  } catch {
    // The stream broke or hpsd sent what makes no sense: without it nobody sees this session, so it ends.
  } finally {
    await input.return();
    await program.close();
    await writing;
  }
}

async function* requestsOf(id: string, program: Program): AsyncGenerator<Request, void> {
  yield { message: { case: "session", value: id } };
  for await (const { kind, bytes } of program.output) {
    yield { message: { case: kind, value: joinWaiting(program.output, kind, bytes) } };
  }
  yield { message: { case: "exit", value: await program.exited } };
}

function joinWaiting(output: BoundedQueue<ProgramOutput>, kind: string, first: Uint8Array): Uint8Array {
  const parts = [first];
  let size = first.length;
  for (let next = output.peek(); next?.kind === kind && size + next.bytes.length <= MESSAGE_BYTES; ) {
    output.poll();
    parts.push(next.bytes);
    size += next.bytes.length;
    next = output.peek();
  }
  return parts.length === 1 ? first : Buffer.concat(parts, size);
}

async function apply({ message }: ServeShellResponse, program: Program, input: BoundedQueue<Input>): Promise<void> {
  switch (message.case) {
    case "input":
      await input.put({ bytes: message.value });
      break;
    case "endOfInput":
      await input.put("end");
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

async function writeInput(program: Program, input: BoundedQueue<Input>): Promise<void> {
  for await (const item of input) {
    await (item === "end" ? program.endInput() : program.write(item.bytes));
  }
}
