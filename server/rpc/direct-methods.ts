import type { AgentService, DeliverRecordingRequest } from "../../proto/gen/hps/v1/agent_pb.ts";
import { dataOf, firstMessage } from "../../proto/rpc/first-message.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { ServerKeyPair } from "../core/identity/server-credentials.ts";
import type { DirectAccess } from "../core/shells/direct-access.ts";
import type { Delivery, KeptRecordings } from "../core/shells/kept-recordings.ts";
import { agentOf } from "./agent-caller.ts";

export type DirectMethods = Pick<Handlers<typeof AgentService, Caller>, "renewDirectAccess" | "deliverRecording">;

interface DirectMethodsDeps {
  readonly directAccess: Pick<DirectAccess, "renew">;
  readonly keptRecordings: Pick<KeptRecordings, "begin">;
  /** hpsd's own certificate, as it is now. */
  readonly signer: () => ServerKeyPair;
}

/** What an agent needs for the time when hpsd is away, and what it brings afterwards. */
export function directMethods({ directAccess, keptRecordings, signer }: DirectMethodsDeps): DirectMethods {
  return {
    renewDirectAccess: async ({ certificateRequest }, { principal: caller }) =>
      await directAccess.renew(agentOf(caller).principal.hostId, certificateRequest, signer()),
    deliverRecording: (requests, { principal: caller }) => deliver(keptRecordings, requests, caller),
  };
}

async function* deliver(
  kept: DirectMethodsDeps["keptRecordings"],
  requests: AsyncIterable<DeliverRecordingRequest>,
  caller: Caller,
) {
  const messages = requests[Symbol.asyncIterator]();
  const { message } = await firstMessage(messages);
  if (message.case !== "recording") throw new HpsError("invalid", "the first message announces no recording");
  const { session, bytes, digest } = message.value;
  const wish = { session: parseUuid(session), bytes: Number(bytes), digest };
  const delivery = await kept.begin(agentOf(caller), wish);
  if (delivery !== undefined) {
    try {
      yield { message: { case: "offset" as const, value: BigInt(delivery.offset) } };
      await take(delivery, messages, wish.bytes);
      await delivery.finish();
    } finally {
      await delivery.close();
    }
  }
  yield { message: { case: "kept" as const, value: {} } };
}

async function take(
  delivery: Delivery,
  messages: AsyncIterator<DeliverRecordingRequest>,
  announced: number,
): Promise<void> {
  let bytes = delivery.offset;
  if (bytes === announced) return;
  for await (const piece of dataOf(messages)) {
    await delivery.append(piece);
    bytes += piece.length;
    if (bytes === announced) return;
  }
  throw new HpsError("unavailable", "the delivery broke off");
}
