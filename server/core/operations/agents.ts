import { settlesWithin } from "../../../proto/flow/time-limit.ts";
import type { AttachRequest } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Tx } from "../../store/database.ts";
import type { GroupCommit } from "../../store/group-commit.ts";
import type { Tables } from "../../store/schema/tables.ts";
import { actorOfCaller } from "../audit/audit.ts";
import type { RecordsRefusals } from "../identity/refusals.ts";
import type { AttachResponseInit } from "../presence/pending-commands.ts";
import type { Attached, Presence } from "../presence/presence.ts";
import { type ParsedHello, parseHello } from "./agent-hello.ts";
import { type AgentCaller, type NumberedMessage, storeMessages } from "./agent-messages.ts";
import { AgentReader } from "./agent-reader.ts";
import { type WelcomeDeps, welcomeAgent } from "./agent-welcome.ts";
import { Intake, type IntakeLimits } from "./intake.ts";
import { StreamOutbox } from "./stream-outbox.ts";

export interface AgentsDeps extends WelcomeDeps {
  readonly presence: Presence;
  readonly refusals: RecordsRefusals;
  /** Events of many agents share a transaction. */
  readonly commits: GroupCommit<Tables>;
  /** For the first message; default 10 000. */
  readonly helloMs?: number;
  /** What one agent may have unacknowledged here; default 256 KiB and 1 024 messages. */
  readonly window?: IntakeLimits;
}

const HELLO_MS = 10_000;
const WINDOW = { bytes: 256 * 1024, items: 1024 };

/** The call an agent's stream is, as far as it matters here. */
export interface AgentCall {
  /** Ends the call now with this status. */
  readonly end: (reason: HpsError) => void;
}

/** The agents' streams: what they say is stored once and acknowledged when durable, commands go down. */
export class Agents {
  readonly #deps: AgentsDeps;
  readonly #streams = new Set<Promise<unknown>>();

  constructor(deps: AgentsDeps) {
    this.#deps = deps;
  }

  /** One stream, from Hello to its end. What an agent may not say ends it with `invalid` and one audit event. */
  attach(
    caller: AgentCaller,
    requests: AsyncIterable<AttachRequest>,
    call: AgentCall,
  ): AsyncIterable<AttachResponseInit> {
    const iterator = requests[Symbol.asyncIterator]();
    const outbox = new StreamOutbox();
    const stream = this.#serve(caller, iterator, { call, outbox }).then(
      () => outbox.end(),
      async (error: unknown) => outbox.end(await this.#judged(caller, error)),
    );
    this.#streams.add(stream);
    void stream.finally(() => this.#streams.delete(stream));
    return outbox.responses();
  }

  /** Tells every agent to go and waits until what they sent is stored; at most `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    await this.#deps.presence.stop(graceMs);
    await settlesWithin(Promise.all(this.#streams), graceMs);
  }

  async #serve(caller: AgentCaller, iterator: AsyncIterator<AttachRequest>, ends: Ends): Promise<void> {
    const hello = await this.#hello(iterator);
    const { principal, address } = caller;
    // Before the state is read: a command to proceed that comes in between is not lost, but waits for the welcome.
    const attached = this.#deps.presence.attach({
      identity: principal.certificate.uri,
      hostId: principal.hostId,
      clusterId: principal.clusterId,
      ...{ runId: hello.runId, address, version: hello.version },
      ...(hello.uptimeMs !== undefined && { bootedAt: this.#deps.clock() - hello.uptimeMs }),
      send: (command) => ends.outbox.command(command),
      close: (reason) => ends.call.end(reason),
    });
    this.#ring(caller);
    try {
      ends.outbox.welcome(await this.#deps.commits.submit((tx) => welcomeAgent(tx, this.#deps, caller, hello)));
      await this.#read({ caller, hello, iterator, outbox: ends.outbox }, attached);
    } finally {
      attached.detach();
      if (principal.kind === "installer") this.#deps.quota.forget(principal.installationId);
      this.#ring(caller);
      await this.#noteGone(caller);
    }
  }

  /** For those that watch hosts; a store that cannot take it has worse to tell. */
  async #noteGone({ principal: { hostId, clusterId } }: AgentCaller): Promise<void> {
    const gone = { kind: "host", objectId: hostId, clusterId, deleted: false } as const;
    await this.#deps.commits.submit((tx) => this.#deps.changes.note(tx, gone)).catch(() => undefined);
  }

  async #read({ caller, hello, iterator, outbox }: Reading, attached: Attached): Promise<void> {
    const failure = Promise.withResolvers<never>();
    // It is raced below while the stream is read, and must not be unhandled when nobody reads.
    failure.promise.catch(() => undefined);
    const intake = new Intake<NumberedMessage>({
      limits: this.#deps.window ?? WINDOW,
      commit: async (messages) => {
        const source = { caller, runId: hello.runId };
        const store = (tx: Tx) => storeMessages(tx, this.#deps, source, messages);
        outbox.acknowledge(await this.#deps.commits.submit(store, caller.principal.hostId));
      },
      onFailure: (error) => failure.reject(error),
    });
    const reader = new AgentReader({ clock: this.#deps.clock, intake, attached });
    try {
      await Promise.race([reader.readAll(iterator), failure.promise]);
    } finally {
      await intake.drained();
    }
  }

  async #hello(iterator: AsyncIterator<AttachRequest>): Promise<ParsedHello> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const limit = this.#deps.helloMs ?? HELLO_MS;
    const timer = setTimeout(() => reject(new HpsError("deadline", `no Hello came within ${limit} ms`)), limit);
    try {
      const first = await Promise.race([iterator.next(), late]);
      return parseHello(first.done === true ? undefined : first.value, this.#deps.serverVersion);
    } finally {
      clearTimeout(timer);
    }
  }

  /** What no honest agent sends is recorded, and the asker is told under which id. */
  async #judged({ principal, ...call }: AgentCaller, error: unknown): Promise<unknown> {
    if (!(error instanceof HpsError) || error.code !== "invalid") return error;
    const who = actorOfCaller({ principal, ...call });
    const target =
      principal.kind === "installer" ? `installation:${principal.installationId}` : `host:${principal.hostId}`;
    const subject = { target, clusterId: principal.clusterId, reason: error.message };
    const incident = await this.#deps.refusals.refused(who, subject).catch(() => "");
    const { message, hint, details, cause } = error;
    return new HpsError("invalid", message, { hint, details: { ...details, ...(incident && { incident }) }, cause });
  }

  #ring({ principal }: AgentCaller): void {
    if (principal.kind === "installer") this.#deps.bell.ring(principal.installationId);
  }
}

interface Ends {
  readonly call: AgentCall;
  readonly outbox: StreamOutbox;
}

interface Reading {
  readonly caller: AgentCaller;
  readonly hello: ParsedHello;
  readonly iterator: AsyncIterator<AttachRequest>;
  readonly outbox: StreamOutbox;
}
