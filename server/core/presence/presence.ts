import { settlesWithin } from "../../../proto/flow/time-limit.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Clock } from "../audit/audit.ts";
import { type AgentCommand, type CommandInit, PendingCommands } from "./pending-commands.ts";
import { Places } from "./places.ts";

/** An agent's stream, as it comes. */
export interface Attachment {
  /** `spiffe://…` of its certificate. */
  readonly identity: string;
  readonly hostId: string;
  readonly clusterId: string;
  readonly runId: string;
  readonly address: string;
  readonly version: string;
  /** UTC milliseconds: when its machine was started, as it says. */
  readonly bootedAt?: number;
  readonly send: (command: CommandInit) => void;
  /** Ends the stream with this status. */
  readonly close: (reason: HpsError) => void;
}

/** What the stream tells of itself. */
export interface Attached {
  /** Something came from the agent. */
  readonly seen: () => void;
  /** Open shells may hold its restart for so many milliseconds from now; undefined: they do not. */
  readonly held: (holdMs: number | undefined) => void;
  readonly answered: (commandId: string, error: string) => void;
  /** The stream has ended; idempotent. */
  readonly detach: () => void;
}

export interface PresenceOptions {
  readonly clock: Clock;
  /** One identity is used by two machines. Called once per series; must not throw. */
  readonly onTwoMachines: (latest: Attachment) => void;
  /** Without a sign of life for so long an agent is gone and its stream is closed; default 90 000. */
  readonly goneAfterMs?: number;
  /** How long an agent may take to answer a command; default 15 000. */
  readonly commandMs?: number;
}

interface Entry extends Attachment {
  readonly pending: PendingCommands;
  lastSeenAt: number;
  /** UTC milliseconds. */
  restartAt: number | undefined;
}

/** Which agent is attached where; in memory, because a stream lives no longer than the process. */
export class Presence {
  readonly #options: Required<PresenceOptions>;
  readonly #byIdentity = new Map<string, Entry>();
  readonly #onAttach: ((agent: Attachment) => void)[] = [];
  readonly #onDetach: ((agent: Attachment) => void)[] = [];
  readonly #byHost = new Map<string, Set<Entry>>();
  readonly #places = new Places();
  #stopping = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: PresenceOptions) {
    this.#options = { goneAfterMs: 90_000, commandMs: 15_000, ...options };
  }

  /** One live stream per identity: the newer closes the older with `aborted`. `unavailable` while stopping. */
  attach(attachment: Attachment): Attached {
    if (this.#stopping) throw stoppingError();
    const older = this.#byIdentity.get(attachment.identity);
    if (older !== undefined) this.#replace(older, attachment);
    const entry: Entry = {
      ...attachment,
      pending: new PendingCommands(),
      lastSeenAt: this.#options.clock(),
      restartAt: undefined,
    };
    this.#byIdentity.set(entry.identity, entry);
    const ofHost = this.#byHost.get(entry.hostId) ?? new Set();
    this.#byHost.set(entry.hostId, ofHost.add(entry));
    for (const listener of this.#onAttach) listener(attachment);
    return {
      seen: () => {
        entry.lastSeenAt = this.#options.clock();
      },
      held: (holdMs) => {
        entry.restartAt = holdMs === undefined ? undefined : this.#options.clock() + holdMs;
      },
      answered: (commandId, error) => entry.pending.answered(commandId, error),
      detach: () => this.#left(entry),
    };
  }

  /** Calls back whenever an agent attaches; must not throw. */
  onAttach(listener: (agent: Attachment) => void): void {
    this.#onAttach.push(listener);
  }

  /** Calls back whenever an agent's stream ends and no newer one has taken its place; must not throw. */
  onDetach(listener: (agent: Attachment) => void): void {
    this.#onDetach.push(listener);
  }

  isAttached(hostId: string): boolean {
    return this.#byHost.has(hostId);
  }

  /** When its machine restarts at the latest though shells are open, UTC milliseconds; undefined: it does not wait for any. */
  restartAt(hostId: string): number | undefined {
    return this.#latest(hostId)?.restartAt;
  }

  /** Run of the agent of the host that attached last; undefined when none is attached. */
  runOf(hostId: string): string | undefined {
    return this.#latest(hostId)?.runId;
  }

  /** No stream, or none with a sign of life for `goneAfterMs`. */
  isGone(hostId: string, now: number): boolean {
    return [...(this.#byHost.get(hostId) ?? [])].every((entry) => this.#isSilent(entry, now));
  }

  /** UTC milliseconds of the last word of the host's agents; undefined when none is attached. */
  lastHeardAt(hostId: string): number | undefined {
    const times = [...(this.#byHost.get(hostId) ?? [])].map(({ lastSeenAt }) => lastSeenAt);
    return times.length === 0 ? undefined : Math.max(...times);
  }

  /**
   * Sends a command to the agent of the host that attached last and waits until it has done it.
   * Errors: `unavailable` when none is attached or it leaves meanwhile, `deadline`, `precondition` with its own words.
   */
  async send(hostId: string, command: AgentCommand): Promise<void> {
    await this.#run(this.#latest(hostId), command);
  }

  /** The same to the agent with this identity: a host's own, say, and never its installer. */
  async sendTo(identity: string, command: AgentCommand): Promise<void> {
    await this.#run(this.#byIdentity.get(identity), command);
  }

  /** The same without waiting: whoever is not attached now is told when it attaches. */
  tell(hostId: string, command: AgentCommand): void {
    void this.send(hostId, command).catch(() => undefined);
  }

  /** Closes the streams of the host. */
  close(hostId: string, reason: HpsError): void {
    for (const entry of [...(this.#byHost.get(hostId) ?? [])]) entry.close(reason);
  }

  /** Every agent that is attached now. */
  agents(): Iterable<Attachment> {
    return this.#byIdentity.values();
  }

  /** Closes the streams of agents that are silent; call it every few seconds. How many it were. */
  sweep(): number {
    const now = this.#options.clock();
    const silent = [...this.#byIdentity.values()].filter((entry) => this.#isSilent(entry, now));
    const reason = `nothing was heard of the agent for ${this.#options.goneAfterMs / 1000} s`;
    for (const entry of silent) entry.close(new HpsError("deadline", reason));
    return silent.length;
  }

  /** Tells every stream to go (`unavailable`) and waits until they have ended, at most `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEmpty = resolve;
    for (const entry of [...this.#byIdentity.values()]) entry.close(stoppingError());
    if (this.#byHost.size > 0) await settlesWithin(promise, graceMs);
  }

  async #run(entry: Entry | undefined, command: AgentCommand): Promise<void> {
    if (entry === undefined) throw detachedError();
    await entry.pending.run(command, this.#options.commandMs, entry.send);
  }

  #latest(hostId: string): Entry | undefined {
    return [...(this.#byHost.get(hostId) ?? [])].at(-1);
  }

  #isSilent(entry: Entry, now: number): boolean {
    return now - entry.lastSeenAt >= this.#options.goneAfterMs;
  }

  /** A machine that comes back after its network broke has the same run and address; another machine has not. */
  #replace(older: Entry, newer: Attachment): void {
    const sameplace = older.runId === newer.runId && older.address === newer.address;
    if (!sameplace && this.#places.moved(newer.identity, this.#options.clock())) this.#options.onTwoMachines(newer);
    this.#detach(older);
    older.close(
      new HpsError("aborted", "another agent attached with this identity", {
        hint: "if this is not the same machine coming back, two machines use one certificate",
      }),
    );
  }

  #left(entry: Entry): void {
    const isReplaced = this.#byIdentity.get(entry.identity) !== entry;
    this.#detach(entry);
    if (!isReplaced) for (const listener of this.#onDetach) listener(entry);
  }

  #detach(entry: Entry): void {
    entry.pending.failAll(detachedError());
    if (this.#byIdentity.get(entry.identity) === entry) this.#byIdentity.delete(entry.identity);
    const ofHost = this.#byHost.get(entry.hostId);
    ofHost?.delete(entry);
    if (ofHost?.size === 0) this.#byHost.delete(entry.hostId);
    if (this.#byHost.size === 0) this.#onEmpty?.();
  }
}

function detachedError(): HpsError {
  return new HpsError("unavailable", "no agent of this host is attached", { hint: "hpsctl host get shows the host" });
}

function stoppingError(): HpsError {
  return new HpsError("unavailable", "server is stopping", { hint: "attach again later" });
}
