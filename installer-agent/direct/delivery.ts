import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { lastDigest } from "../../proto/direct/chain.ts";
import type {
  AgentService,
  DeliverRecordingRequestSchema,
  DeliverRecordingResponse,
} from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { type ErrorCode, HpsError } from "../../proto/values/hps-error.ts";
import { describeError, type Log } from "../log.ts";
import type { Recordings } from "./recordings.ts";

export interface DeliveryOptions {
  readonly recordings: Recordings;
  readonly service: () => Client<typeof AgentService>;
  readonly log: Log;
  /** Between two tries. */
  readonly pauseMs?: number;
}

const PIECE = 64 * 1024;
const PAUSE_MS = 5_000;
/** What hpsd will not say otherwise when asked again. */
const FINAL: readonly ErrorCode[] = ["data-loss", "invalid", "exists"];
/** Of a file that is no chain at all. */
const NO_DIGEST = `sha256:${"0".repeat(64)}`;

type Request = MessageInitShape<typeof DeliverRecordingRequestSchema>;

/** Gives hpsd every recording that waits, one after the other, until `signal`; each is forgotten only when hpsd has it durably. Never rejects. */
export async function deliverAll(options: DeliveryOptions, signal: AbortSignal): Promise<void> {
  const { recordings, log, pauseMs = PAUSE_MS } = options;
  while (!signal.aborted) {
    try {
      const [id] = await recordings.waiting();
      if (id === undefined) return;
      await deliver(options, id, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.warn(`a kept recording is not delivered yet: ${describeError(error)}`);
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}

async function deliver(
  { recordings, service, log }: DeliveryOptions,
  session: string,
  signal: AbortSignal,
): Promise<void> {
  await recordings.complete(session);
  const file = recordings.fileOf(session);
  const { size } = await stat(file);
  const digest = await lastDigest(createReadStream(file)).catch(() => NO_DIGEST);
  try {
    await send(service(), { file, announced: { session, bytes: BigInt(size), digest } }, signal);
  } catch (error) {
    if (!(error instanceof HpsError) || !FINAL.includes(error.code)) throw error;
    await recordings.refused(session);
    log.error(`hpsd does not take a kept recording, which stays here: ${describeError(error)}`, { session });
    return;
  }
  await recordings.taken(session);
  log.info("hpsd has taken a kept recording", { session, digest });
}

interface Sending {
  readonly file: string;
  readonly announced: { readonly session: string; readonly bytes: bigint; readonly digest: string };
}

async function send(
  service: Client<typeof AgentService>,
  { file, announced }: Sending,
  signal: AbortSignal,
): Promise<void> {
  const offset = Promise.withResolvers<number>();
  const requests = async function* (): AsyncGenerator<Request, void> {
    yield { message: { case: "recording", value: announced } };
    const start = await offset.promise;
    if (start < 0) return;
    for await (const piece of createReadStream(file, { start, highWaterMark: PIECE })) {
      yield { message: { case: "data", value: new Uint8Array(piece) } };
    }
  };
  let last: DeliverRecordingResponse["message"] | undefined;
  try {
    for await (const { message } of service.deliverRecording(requests(), { signal })) {
      last = message;
      if (message.case === "offset") offset.resolve(Number(message.value));
    }
  } finally {
    offset.resolve(-1);
  }
  if (last?.case !== "kept") throw new HpsError("unavailable", "hpsd did not say that it has the recording");
}
