import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import { describeError } from "../log.ts";
import type { Program, ProgramOutput } from "./program.ts";
import { ProgramInput, TAKEN_STEP } from "./program-input.ts";
import {
  applyToProgram,
  endedBecause,
  inputTaken,
  LEAVE_MS,
  MESSAGE_BYTES,
  type ServedSession,
  type ShellMessage,
} from "./served-session.ts";

/** Carries a command, which ends with its stream: how much of a pipe was lost with that nobody could know. Never rejects. */
export async function serveCommand({ id, program, serve, signal, log }: ServedSession): Promise<void> {
  const messages = new BoundedQueue<ShellMessage>({ capacity: 1, sizeOf: () => 1 });
  const input = inputOf(program, messages);
  const over = new AbortController();
  const end = (error: unknown) => {
    void messages.return();
    setTimeout(() => over.abort(error), LEAVE_MS).unref();
  };
  const stop = () => end(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const reading = readOutput(program, messages);
  try {
    const requests = requestsOf(id, messages, signal);
    for await (const response of serve(requests, { signal: over.signal })) applyToProgram(response, program, input);
  } catch (error) {
    if (!signal.aborted) log.warn(`a command is ended with its stream: ${describeError(error)}`, { session: id });
  } finally {
    signal.removeEventListener("abort", stop);
    over.abort();
    input.close();
    await messages.return();
    await program.close();
    await Promise.all([input.idle, reading]);
  }
}

function inputOf(program: Program, messages: BoundedQueue<ShellMessage>): ProgramInput {
  let told = 0;
  const input: ProgramInput = new ProgramInput(program, () => {
    if (input.taken - told < TAKEN_STEP) return;
    told = input.taken;
    void messages.put(inputTaken(input));
  });
  return input;
}

async function* requestsOf(
  id: string,
  messages: BoundedQueue<ShellMessage>,
  signal: AbortSignal,
): AsyncGenerator<ShellMessage, void> {
  yield { message: { case: "session", value: id } };
  yield* messages;
  if (signal.aborted) yield endedBecause(signal.reason);
}

/** Ends with the last message. */
async function readOutput(program: Program, messages: BoundedQueue<ShellMessage>): Promise<void> {
  for await (const { kind, bytes } of program.output) {
    const value = joinWaiting(program.output, kind, bytes);
    if (!(await messages.put({ message: { case: kind, value } }))) return;
  }
  await messages.put({ message: { case: "exit", value: await program.exited } });
  messages.end();
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
