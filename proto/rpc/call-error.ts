/** What went wrong with a call, in words for its caller. */
import { status as Status, type StatusObject } from "@grpc/grpc-js";
import { HpsError } from "../values/hps-error.ts";
import { errorOfStatus, isFromPeer } from "./status.ts";

/** What the transport's text means; the first that fits counts. */
const CONNECTION_PROBLEMS: readonly (readonly [RegExp, string, string])[] = [
  [/ECONNREFUSED/, "connection refused", "is hpsd running there, and is the port right?"],
  [/ENOTFOUND|EAI_AGAIN|Name resolution failed/, "the name is not known", "check the address"],
  [/EHOSTUNREACH|ENETUNREACH/, "no route to it", "check the network"],
  [/ETIMEDOUT/, "no answer", "check the network"],
  [/does not match certificate's altnames|Hostname\/IP/, "its certificate is for another name", "check the address"],
  [/certificate has expired/, "its certificate has expired", "renew it, or check this machine's clock"],
  [/certificate is not yet valid/, "its certificate is not yet valid", "check the clocks of both machines"],
  [
    /unable to (verify|get)|self[- ]signed|SELF_SIGNED|UNABLE_TO/,
    "its certificate is not signed by the CA we trust",
    "is it the right server, and the right CA?",
  ],
  [/alert|SSL routines|EPROTO/, "the TLS handshake failed", ""],
  [/ECONNRESET|EPIPE|socket|[Cc]onnection dropped|closed/, "the connection was lost", ""],
];

/** How a channel's own check of its server gets its sentence through the transport's text. */
const REFUSAL = /hps-refusal\{(.*?)\}/;

export function serverRefusal(sentence: string): Error {
  return new Error(`hps-refusal{${sentence.replace(/[{}]/g, "")}}`);
}

/** `method` and `address` name what was tried. */
export function callError(status: StatusObject, method: string, address: string): HpsError {
  if (isFromPeer(status)) {
    return errorOfStatus(status);
  }
  if (status.code === Status.UNAVAILABLE) {
    return connectionError(status.details, address);
  }
  if (status.code === Status.DEADLINE_EXCEEDED) {
    return new HpsError("deadline", `${method}: no answer from ${address} in time`, { cause: status.details });
  }
  return errorOfStatus(status);
}

function connectionError(transportText: string, address: string): HpsError {
  const refusal = REFUSAL.exec(transportText)?.[1];
  const [, what, hint] = CONNECTION_PROBLEMS.find(([pattern]) => pattern.test(transportText)) ?? [];
  const message = `cannot reach ${address}: ${refusal ?? what ?? "the connection failed"}`;
  return new HpsError("unavailable", message, { hint: hint ?? "", cause: transportText });
}
