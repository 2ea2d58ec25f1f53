import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { readChain } from "../../proto/direct/chain.ts";
import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import type { ServeShellRequestSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import { newUuid } from "../../proto/values/uuid.ts";
import { ChainFile } from "./chain-file.ts";
import { DirectSession } from "./direct-session.ts";

type FromProgram = MessageInitShape<typeof ServeShellRequestSchema>;

test("what the program says while the session ends is neither recorded nor shown", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hps-direct-session-"));
  const id = newUuid();
  const path = join(folder, `${id}.chain`);
  const session = new DirectSession({
    ...{ recording: await ChainFile.create(path, id), admit: () => undefined, onEnd: () => undefined },
    ...{ isTerminal: true, recordInput: false, idleLimit: 0 },
  });
  const program = new BoundedQueue<FromProgram>({ capacity: 10_000, sizeOf: () => 0 });
  const say = (text: string) => program.put({ message: { case: "output", value: new Uint8Array(Buffer.from(text)) } });
  void Array.fromAsync(session.serve(program));
  const shown: string[] = [];
  const showing = (async () => {
    for await (const { message } of session.output) {
      if (message?.case === "output") shown.push(Buffer.from(message.value ?? []).toString());
    }
  })();
  await say("before");
  await expect.poll(() => shown).toEqual(["before"]);
  const ending = session.end("its time is over");
  await say("after");
  await Promise.all([ending, showing]);
  expect(shown).toEqual(["before"]);
  const recorded: (string | undefined)[] = [];
  for await (const { record } of readChain(id, createReadStream(path))) recorded.push(record.event.case);
  expect(recorded).toEqual(["output", "end"]);
  await rm(folder, { recursive: true, force: true });
});
