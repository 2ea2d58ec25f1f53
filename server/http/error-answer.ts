import { randomUUID } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { ERROR_TABLE, type ErrorCode, HpsError } from "../../proto/values/hps-error.ts";
import { safeText } from "../../proto/values/safe-text.ts";

/** An error that was not an HpsError: the peer sees the id alone. */
export interface HttpIncident {
  readonly id: string;
  /** Method and route, never the URL, which is hostile. */
  readonly route: string;
  readonly error: unknown;
}

/** What Fastify itself refuses, by its HTTP status; its own words are not sent. */
const REFUSED: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  400: ["invalid", "the request is malformed"],
  404: ["not-found", "there is nothing at this address"],
  408: ["deadline", "the request did not arrive in time"],
  413: ["invalid", "the body is too large"],
  415: ["invalid", "the body's content type is not taken here"],
  429: ["exhausted", "too many requests"],
};

/** Answers with the status of the error's code, as JSON where that is accepted, else as text with the hint and the incident id. */
export function answerError(
  request: FastifyRequest,
  reply: FastifyReply,
  thrown: unknown,
  onError: (incident: HttpIncident) => void,
): FastifyReply {
  const status = statusOf(thrown);
  const error =
    thrown instanceof HpsError ? thrown : (refusalOf(status) ?? incidentOf(routeOf(request), thrown, onError));
  void reply
    .code(thrown instanceof HpsError ? ERROR_TABLE[error.code].http : status)
    .header("cache-control", "no-store");
  const { code, message, hint, details } = error;
  if (request.headers.accept?.includes("json") === true) {
    return reply.type("application/json").send(JSON.stringify({ code, message, hint, details }));
  }
  const lines = [message, hint, details.incident === undefined ? "" : `incident ${details.incident}`];
  const text = lines.filter((line) => line !== "").map((line) => `${safeText(line)}\n`);
  return reply.type("text/plain; charset=utf-8").send(text.join(""));
}

/** 500 for anything that is not a client's mistake. */
function statusOf(thrown: unknown): number {
  const status: unknown = thrown instanceof Error ? Reflect.get(thrown, "statusCode") : undefined;
  return typeof status === "number" && status in REFUSED ? status : 500;
}

function refusalOf(status: number): HpsError | undefined {
  const [code, message] = REFUSED[status] ?? [];
  return code === undefined || message === undefined ? undefined : new HpsError(code, message);
}

function routeOf(request: FastifyRequest): string {
  return `${request.method} ${request.routeOptions.url ?? "unknown"}`;
}

/** What a peer is told of an error that is none of ours: an id, under which the log has it. */
export function incidentOf(route: string, error: unknown, onError: (incident: HttpIncident) => void): HpsError {
  const id = randomUUID().slice(0, 8);
  onError({ id, route, error });
  return new HpsError("internal", "internal error", { details: { incident: id } });
}
