/** What happens to a call before and after its handler: admission, and the rule for errors. */
import { randomUUID } from "node:crypto";
import type { Metadata } from "@grpc/grpc-js";
import { HpsError } from "../values/hps-error.ts";
import type { IncomingCall } from "./handlers.ts";
import type { ServerCall } from "./server-call.ts";

/** An error that was not an HpsError: the peer sees the id alone. */
export interface Incident {
  readonly id: string;
  /** `/package.Service/Method`. */
  readonly method: string;
  readonly error: unknown;
}

/** Asks `authorize`, for `limitMs` at most. */
export async function admit<P>(
  authorize: (call: IncomingCall) => Promise<P>,
  incoming: IncomingCall,
  limitMs: number,
): Promise<P> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new HpsError("unavailable", "the server could not decide in time")), limitMs);
  try {
    return await Promise.race([authorize(incoming), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends the call with what was thrown: an HpsError as it is, anything else as an incident that says nothing of it. */
export function endWith(call: ServerCall, thrown: unknown): { readonly incidentId: string } | undefined {
  if (thrown instanceof HpsError) {
    call.end(thrown);
    return undefined;
  }
  if (call.done && thrown instanceof Error && thrown.name === "AbortError") {
    return undefined;
  }
  const incidentId = randomUUID().slice(0, 8);
  call.end(new HpsError("internal", `internal error, incident ${incidentId}`, { details: { incident: incidentId } }));
  return { incidentId };
}

/** Text entries only: bytes are for the transport. */
export function textOf(metadata: Metadata): ReadonlyMap<string, string> {
  const entries = Object.entries(metadata.getMap());
  return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}
