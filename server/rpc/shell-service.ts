import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { EndOfInputSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { OpenSessionRequest, SessionSchema, ShellService } from "../../proto/gen/hps/v1/shell_pb.ts";
import type { CallContext, Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { Participant, ShellInput } from "../core/shells/participant.ts";
import { parseShellStart } from "../core/shells/shell-start.ts";
import type { Shells } from "../core/shells/shells.ts";
import { firstMessage } from "./first-message.ts";
import { nextPageToken, pageLimit, pageStart } from "./paging.ts";
import { type RecordingMethodsDeps, recordingMethods } from "./recording-methods.ts";

export interface ShellServiceDeps extends RecordingMethodsDeps {
  readonly access: Access;
  readonly shells: Shells;
}

export function shellService(deps: ShellServiceDeps): Handlers<typeof ShellService, Caller> {
  const { access, shells } = deps;
  return {
    ...recordingMethods(deps),
    openSession: (requests, context) => openSession(deps, requests, context),

    getSession: async (request, { principal: caller }) =>
      sessionMessage(await shells.get((await access.session(caller, request.session)).id)),

    listSessions: async (request, { principal: caller }) => {
      const clusters = await access.visible(caller, request.cluster);
      const list = ["sessions", request.cluster, String(request.openOnly)];
      const [startedAt, id] = pageStart(request, list, ["number", "string"]) ?? [];
      const limit = pageLimit(request);
      const before = typeof startedAt === "number" && typeof id === "string" ? { before: { startedAt, id } } : {};
      const rows = await shells.list({ clusters, openOnly: request.openOnly, limit: limit + 1, ...before });
      const sessions = rows.slice(0, limit);
      const last = rows.length > limit ? sessions.at(-1) : undefined;
      const key = last && [last.startedAt, last.id];
      return { sessions: sessions.map(sessionMessage), nextPageToken: nextPageToken(key, list) };
    },
  };
}

async function* openSession(
  { access, shells }: ShellServiceDeps,
  requests: AsyncIterable<OpenSessionRequest>,
  { principal: caller, signal }: CallContext<Caller>,
) {
  const messages = requests[Symbol.asyncIterator]();
  const { message } = await firstMessage(messages);
  if (message.case !== "start") throw new HpsError("invalid", "the first message does not start a session");
  const host = await access.host(caller, message.value.host);
  const participant = await shells.open(caller, host.id, parseShellStart(message.value), signal);
  const leave = () => participant.leave(whyGone(signal));
  signal.addEventListener("abort", leave, { once: true });
  try {
    yield { message: { case: "session" as const, value: sessionMessage(participant.session) } };
    void readInput(participant, messages);
    for await (const output of participant.output) yield { message: output };
  } finally {
    signal.removeEventListener("abort", leave);
    leave();
  }
}

/** The peer's own cancelling says nothing; a revoked certificate or changed roles say why. */
function whyGone({ reason }: AbortSignal): string {
  const isSaid = reason instanceof HpsError && reason.code !== "cancelled";
  return isSaid ? `the operator's call was ended: ${reason.message}` : "the operator went away";
}

/** A stream that ends without saying so is the end of input too. */
async function readInput(participant: Participant, messages: AsyncIterator<OpenSessionRequest>): Promise<void> {
  let ended = false;
  try {
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
      const input = inputOf(next.value);
      ended ||= input.case === "endOfInput";
      await participant.send(input);
    }
    if (!ended) await participant.send({ case: "endOfInput", value: create(EndOfInputSchema) });
  } catch (error) {
    participant.refuse(error instanceof HpsError ? error : new HpsError("internal", "the session broke"));
  }
}

function inputOf({ message }: OpenSessionRequest): ShellInput {
  if (message.case === undefined) throw new HpsError("invalid", "a message of the session is empty or not known");
  if (message.case === "start") throw new HpsError("invalid", "a session is started once");
  return message;
}

type SessionRow = Participant["session"];

/** What ssh answers when a program did not end by itself. */
const NO_CODE = 255;

function sessionMessage(row: SessionRow): MessageInitShape<typeof SessionSchema> {
  const { id, cluster, hostId, host, operator, command, reason, startedAt, endedAt } = row;
  return {
    ...{ id, cluster, hostId, host, operator, command: [...command], reason },
    startTime: timestampFromMs(startedAt),
    ...(endedAt !== null && { endTime: timestampFromMs(endedAt) }),
    exitCode: endedAt === null ? 0 : (row.exitCode ?? NO_CODE),
    endReason: row.endReason,
    recordingBytes: BigInt(row.recordingBytes),
    recordingDigest: row.recordingDigest,
  };
}
