/** HpsError to a gRPC status with trailing metadata, and back. */
import { Metadata, status as Status, type StatusObject } from "@grpc/grpc-js";
import { codeOfGrpc, ERROR_TABLE, HpsError } from "../values/hps-error.ts";

/** Marks a status that hpsd decided, as against one the transport made. */
const CODE = "hps-code";
const HINT = "hps-hint-bin";
const DETAILS = "hps-details-bin";

/** Bytes of text in one trailer; together they stay below the 64 KiB a peer's HTTP/2 stack takes. */
const TEXT_LIMIT = 4096;
const DETAILS_LIMIT = 16_384;

export const OK_STATUS = { code: Status.OK, details: "OK" };

/** The status a peer sees; `cause` stays here. */
export function statusOfError(error: HpsError): StatusObject {
  const metadata = new Metadata();
  metadata.set(CODE, error.code);
  if (error.hint !== "") {
    metadata.set(HINT, Buffer.from(clip(error.hint)));
  }
  const details = Buffer.from(JSON.stringify(error.details));
  if (Object.keys(error.details).length > 0 && details.length <= DETAILS_LIMIT) {
    metadata.set(DETAILS, details);
  }
  return { code: ERROR_TABLE[error.code].grpc, details: clip(error.message), metadata };
}

/** What the peer meant. A status without our mark was made by a transport, here or there. */
export function errorOfStatus(status: StatusObject): HpsError {
  return new HpsError(codeOfGrpc(status.code), status.details, {
    hint: text(status.metadata, HINT),
    details: detailsOf(text(status.metadata, DETAILS)),
  });
}

/** Whether the peer's program, not a transport, decided this status. */
export function isFromPeer(status: StatusObject): boolean {
  return status.metadata.get(CODE).length > 0;
}

/** A lone surrogate would make grpc-js throw where nobody can catch it. */
function clip(value: string): string {
  return value.slice(0, TEXT_LIMIT).toWellFormed();
}

function text(metadata: Metadata, name: string): string {
  return metadata.get(name)[0]?.toString() ?? "";
}

function detailsOf(json: string): Record<string, string> {
  try {
    const parsed: unknown = JSON.parse(json);
    const entries = typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : [];
    return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
  } catch {
    return {};
  }
}
