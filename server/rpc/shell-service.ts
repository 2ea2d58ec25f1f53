import type { AttachSessionRequest, OpenSessionRequest, ShellService } from "../../proto/gen/hps/v1/shell_pb.ts";
import { firstMessage } from "../../proto/rpc/first-message.ts";
import type { CallContext, Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseWindowSize } from "../../proto/values/terminal.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import { parseShellStart } from "../core/shells/shell-start.ts";
import type { Shells } from "../core/shells/shells.ts";
import { nextPageToken, pageLimit, pageStart } from "./paging.ts";
import { type RecordingMethodsDeps, recordingMethods } from "./recording-methods.ts";
import { createSessionLink, type SessionLinkDeps } from "./session-link.ts";
import { sessionMessage } from "./session-message.ts";
import { sessionStream } from "./session-stream.ts";

export interface ShellServiceDeps extends RecordingMethodsDeps, SessionLinkDeps {
  readonly access: Access;
  readonly shells: Shells;
}

export function shellService(deps: ShellServiceDeps): Handlers<typeof ShellService, Caller> {
  const { access, shells } = deps;
  return {
    ...recordingMethods(deps),
    openSession: (requests, context) => openSession(deps, requests, context),
    attachSession: (requests, context) => attachSession(deps, requests, context),

    approveSession: async ({ session, deny, reason }, { principal: caller }) => {
      const { id } = await access.session(caller, session);
      return sessionMessage(await shells.review(caller, id, { denied: deny, reason }), shells.live(id));
    },
    createSessionLink: (request, { principal: caller }) => createSessionLink(deps, caller, request),

    killSession: async ({ session, reason }, { principal: caller }) => {
      const { id } = await access.session(caller, session);
      return sessionMessage(await shells.kill(caller, id, reason), shells.live(id));
    },

    getSession: async (request, { principal: caller }) => {
      const { id } = await access.session(caller, request.session);
      return sessionMessage(await shells.get(id), shells.live(id));
    },

    listSessions: async (request, { principal: caller }) => {
      const clusters = await access.visible(caller, request.cluster);
      const list = ["sessions", request.cluster, String(request.openOnly)];
      const [startedAt, id] = pageStart(request, list, ["number", "string"]) ?? [];
      const limit = pageLimit(request);
      const before = typeof startedAt === "number" && typeof id === "string" ? { before: { startedAt, id } } : {};
      const rows = await shells.list({ clusters, openOnly: request.openOnly, limit: limit + 1, ...before });
      const page = rows.slice(0, limit);
      const last = rows.length > limit ? page.at(-1) : undefined;
      const key = last && [last.startedAt, last.id];
      const sessions = page.map((row) => sessionMessage(row, shells.live(row.id)));
      return { sessions, nextPageToken: nextPageToken(key, list) };
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
  const endsInput = participant.session.command.length > 0;
  yield* sessionStream({ shells, participant, messages, signal, endsInput });
}

async function* attachSession(
  { access, shells }: ShellServiceDeps,
  requests: AsyncIterable<AttachSessionRequest>,
  { principal: caller, signal }: CallContext<Caller>,
) {
  const messages = requests[Symbol.asyncIterator]();
  const { message } = await firstMessage(messages);
  if (message.case !== "attach") throw new HpsError("invalid", "the first message does not name a session");
  const { session, write, window } = message.value;
  const { id } = await access.session(caller, session);
  const wish = { write, ...(window !== undefined && { window: parseWindowSize(window) }) };
  const participant = await shells.attach(caller, id, wish, signal);
  yield* sessionStream({ shells, participant, messages, signal, endsInput: false });
}
