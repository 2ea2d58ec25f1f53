import type { X509Certificate } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { OpenShellSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import { DirectShellService } from "../../proto/gen/hps/v1/direct_pb.ts";
import type { OpenSessionRequest } from "../../proto/gen/hps/v1/shell_pb.ts";
import { firstMessage } from "../../proto/rpc/first-message.ts";
import type { CallContext } from "../../proto/rpc/handlers.ts";
import { RpcServer } from "../../proto/rpc/rpc-server.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { newUuid } from "../../proto/values/uuid.ts";
import type { Shells } from "../link/shells.ts";
import { describeError, type Log } from "../log.ts";
import { admitOperator, type DirectOperator } from "./admission.ts";
import { DirectSession } from "./direct-session.ts";
import { type DirectStart, parseDirectStart } from "./direct-start.ts";
import type { Recordings } from "./recordings.ts";
import type { DirectList } from "./signed-list.ts";

export interface DoorOptions {
  readonly port: number;
  readonly roots: readonly X509Certificate[];
  /** The list while it is good; else why nobody may enter. */
  readonly list: () => DirectList | string;
  readonly shells: Shells;
  readonly recordings: Recordings;
  readonly log: Log;
  /** For the end of each session. */
  readonly onEnd: () => void;
  /** For an operator to read how its session ended, before its place is another's; default 30 000. */
  readonly lastWordsMs?: number;
}

/** Few people work on a host that is alone; what else knocks here is not worth memory, nor a place that somebody may need. */
const LIMITS = {
  ...{ connections: 64, connectionsPerAddress: 16, streams: 8 },
  ...{ handshakeMs: 10_000, authorizeMs: 5_000, idleMs: 10_000 },
};
const MOST_SESSIONS = 8;
const LAST_WORDS_MS = 30_000;
/** Best first: the first takes IPv4 too, where the kernel has both. */
const ADDRESSES = ["::", "0.0.0.0"];

interface Going {
  readonly operator: DirectOperator;
  readonly session: DirectSession;
}

/** A host's own door, from when it is opened until the last session that came in by it has ended. */
export class Door {
  readonly #options: DoorOptions;
  readonly #server: RpcServer<DirectOperator>;
  readonly #going = new Set<Going>();
  /** Sessions that go on or begin. */
  #places = 0;
  #closed: string | undefined;

  private constructor(options: DoorOptions) {
    this.#options = options;
    this.#server = new RpcServer<DirectOperator>({
      authorize: async ({ peer }) => this.#admit(peer.certificateChain, peer.address),
      onError: ({ id, error }) => options.log.error(`the direct way failed: ${describeError(error)}`, { incident: id }),
      limits: LIMITS,
    });
    this.#server.add(DirectShellService, { openSession: (requests, call) => this.#openSession(requests, call) });
  }

  /** Throws `unavailable` when the port cannot be had. */
  static async open(options: DoorOptions, list: DirectList): Promise<{ readonly door: Door; readonly port: number }> {
    const door = new Door(options);
    return { door, port: await door.#listen(list) };
  }

  get sessions(): number {
    return this.#going.size;
  }

  /** Lets nobody in any more, and ends when the last session has. Those go on. */
  close(why: string): void {
    this.#closed = why;
    this.#server.refuseConnections();
    if (this.#going.size === 0) void this.#server.stop(1_000);
  }

  /** Ends the sessions that fit, saying why. */
  async endSessions(which: (operator: DirectOperator) => boolean, why: string): Promise<void> {
    const ending = [...this.#going].filter(({ operator }) => which(operator));
    await Promise.all(ending.map(({ session }) => session.end(why)));
  }

  async stop(): Promise<void> {
    this.close("the agent is stopping");
    await this.endSessions(() => true, "the agent is stopping");
    await this.#server.stop(1_000);
  }

  async #listen({ credentials }: DirectList): Promise<number> {
    const { key, cert: chain } = tlsKeyPair(credentials);
    const { port } = this.#options;
    let failure: unknown;
    for (const host of ADDRESSES) {
      try {
        return await this.#server.listen({ host, port, certificate: { key, chain } });
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  }

  #admit(chain: readonly Buffer[], address: string): DirectOperator {
    try {
      return admitOperator(this.#list(), { chain, roots: this.#options.roots, now: Date.now() });
    } catch (error) {
      this.#options.log.warn(`refused at the direct way: ${describeError(error)}`, { address });
      throw error;
    }
  }

  #list(): DirectList {
    const list = this.#closed ?? this.#options.list();
    if (typeof list !== "string") return list;
    throw new HpsError("unavailable", `this host lets nobody in directly now: ${list}`, {
      hint: "go through hpsd: hpsctl installer-shell without --direct",
    });
  }

  async *#openSession(requests: AsyncIterable<OpenSessionRequest>, call: CallContext<DirectOperator>) {
    const list = this.#list();
    const messages = requests[Symbol.asyncIterator]();
    const { message } = await firstMessage(messages);
    if (message.case !== "start") throw new HpsError("invalid", "the first message does not start a session");
    const start = parseDirectStart(message.value, list);
    const id = newUuid();
    const session = await this.#place(async () => await this.#begin(id, { list, start, call }));
    const gone = () => void session.end(goneText(call.signal));
    call.signal.addEventListener("abort", gone, { once: true });
    if (call.signal.aborted) gone();
    const limit = setTimeout(() => void session.end(limitText(list, call.principal)), limitOf(list, call.principal));
    const going = { operator: call.principal, session };
    this.#going.add(going);
    try {
      await this.#run(id, start, session);
      yield { message: { case: "session" as const, value: sessionValue(id, list, { start, call }) } };
      void readInput(session, messages, call.signal);
      yield* session.output;
    } finally {
      clearTimeout(limit);
      call.signal.removeEventListener("abort", gone);
      await session.end("the operator went away");
      await session.output.return?.();
      this.#ended(going);
    }
  }

  /** Taken before the recording is made: several may come at once. */
  async #place(begin: () => Promise<DirectSession>): Promise<DirectSession> {
    if (this.#places >= MOST_SESSIONS) {
      throw new HpsError("exhausted", `this host has ${MOST_SESSIONS} direct sessions open, and takes no more`);
    }
    this.#places += 1;
    try {
      return await begin();
    } catch (error) {
      this.#places -= 1;
      throw error;
    }
  }

  #ended(going: Going): void {
    this.#places -= 1;
    this.#going.delete(going);
    if (this.#closed !== undefined && this.#going.size === 0) void this.#server.stop(1_000);
    this.#options.onEnd();
  }

  async #begin(id: string, { list, start, call }: Beginning): Promise<DirectSession> {
    const { recordings } = this.#options;
    const { command, term, rows, columns, reason, recordInput } = start;
    const { name: operator, certificate } = call.principal;
    const { hostId, counter, idleLimit } = list;
    const recording = await recordings.create(id).catch(unrecorded);
    try {
      await recording.append({
        case: "begin",
        value: {
          ...{ session: id, hostId, operator, certificate, counter, address: call.peer.address, reason },
          ...{ startTime: timestampFromMs(Date.now()), command: [...command], term, recordInput },
          window: { rows, columns },
        },
      });
      await recording.sync();
    } catch (cause) {
      await recording.close().catch(() => undefined);
      await recordings.discard(id).catch(() => undefined);
      return unrecorded(cause);
    }
    return new DirectSession({
      ...{ recording, recordInput, idleLimit, isTerminal: command.length === 0 },
      admit: (more) => recordings.admit(recording, more),
      onEnd: (isWhole) => {
        recordings.closed(id, isWhole);
        this.#letGo(call);
      },
    });
  }

  /** One who does not read holds no place. A call that has ended by then is let be. */
  #letGo(call: CallContext<DirectOperator>): void {
    const over = new HpsError("aborted", "the session is over, and you did not read how it ended");
    setTimeout(() => call.end(over), this.#options.lastWordsMs ?? LAST_WORDS_MS).unref();
  }

  async #run(id: string, start: DirectStart, session: DirectSession): Promise<void> {
    const { command, term, rows, columns, environment } = start;
    const request = create(OpenShellSchema, { session: id, command: [...command], term, rows, columns, environment });
    try {
      await this.#options.shells.start(request, session.serve);
    } catch (error) {
      await session.end(describeError(error));
      throw error;
    }
  }
}

interface Beginning {
  readonly list: DirectList;
  readonly start: DirectStart;
  readonly call: CallContext<DirectOperator>;
}

function unrecorded(cause: unknown): never {
  if (cause instanceof HpsError && cause.code === "exhausted") throw cause;
  throw new HpsError(
    "unavailable",
    "the session cannot be recorded on this host, and without a recording there is no shell",
    {
      hint: "its disk may be full or broken",
      cause,
    },
  );
}

function sessionValue(id: string, list: DirectList, { start, call }: Omit<Beginning, "list">) {
  const { hostId, cluster, host } = list;
  const { command, reason, recordInput: recordsInput } = start;
  const said = { recordsInput, id, cluster, hostId, host, command: [...command], reason, address: call.peer.address };
  const startTime = timestampFromMs(Date.now());
  return { ...said, operator: call.principal.name, startTime, recorded: true, keptByAgent: true };
}

function goneText({ reason }: AbortSignal): string {
  return reason instanceof HpsError && reason.code !== "cancelled"
    ? `the operator's call was ended: ${reason.message}`
    : "the operator went away";
}

/** Milliseconds that a session may last from now; what its list says, and never longer than the right to it. */
function limitOf({ timeLimit }: DirectList, { until }: DirectOperator): number {
  const right = Math.max(0, until - Date.now());
  return timeLimit > 0 ? Math.min(timeLimit, right) : right;
}

function limitText({ timeLimit }: DirectList, { name, until }: DirectOperator): string {
  return Date.now() >= until
    ? `the right of ${name} to enter directly is over`
    : `its time of ${timeLimit / 1000} s is over`;
}

async function readInput(
  session: DirectSession,
  messages: AsyncIterator<OpenSessionRequest>,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
      await session.receive(next.value);
    }
  } catch (error) {
    if (signal.aborted) return;
    await session.end(error instanceof HpsError ? error.message : "the session broke");
  }
}
