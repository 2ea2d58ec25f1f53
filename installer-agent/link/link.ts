import { setTimeout as sleep } from "node:timers/promises";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { serverIdentityCheck } from "../../certs/server-name.ts";
import { Bell } from "../../proto/flow/bell.ts";
import { unlessAborted } from "../../proto/flow/unless-aborted.ts";
import { AgentService, type Welcome } from "../../proto/gen/hps/v1/agent_pb.ts";
import { type Channel, openChannel } from "../../proto/rpc/channel.ts";
import { type Client, client } from "../../proto/rpc/rpc-client.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { describeError, type Log } from "../log.ts";
import { AttachSession, type SessionOptions } from "./attach-session.ts";
import { verdictOn } from "./attach-verdict.ts";
import { Backoff, type BackoffLimits } from "./backoff.ts";
import type { Identity } from "./identity.ts";

export interface LinkOptions extends Omit<SessionOptions, "service"> {
  readonly identity: Identity;
  readonly version: string;
  readonly backoff: BackoffLimits;
  readonly log: Log;
  /** hpsd cannot take what this run has to say: a new run has begun, and the work begins anew with it. */
  readonly onNewRun: () => void;
  /** Attached now, or why not; `answered`: hpsd is there and would not have it. */
  readonly onState?: (attached: boolean, why: string, answered: boolean) => void;
}

/** How long a connection that was replaced may serve the shells on it. */
const RETIRE_LIMIT = 24 * 60 * 60_000;
const RETIRE_LOOK = 1_000;

/** The agent's tie to hpsd: attached, or about to be. */
export class Link {
  readonly #options: LinkOptions;
  readonly #backoff: Backoff;
  readonly #retired = new Set<Channel>();
  #channel: Channel | undefined;
  #session: AttachSession | undefined;
  #reattach = false;
  #attached = false;
  readonly #changed = new Bell();
  readonly #leaving = new AbortController();

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
  }

  /** A shell session's stream over the present connection, once attached: waits for that until the signal. */
  readonly serveShell: Client<typeof AgentService>["serveShell"] = (requests, options) =>
    this.#serveShell(requests, options);

  /** Calls over the present connection. Throws `unavailable` between two connections. */
  service(): Client<typeof AgentService> {
    if (this.#channel === undefined) throw new HpsError("unavailable", "not connected to hpsd now");
    return client(AgentService, this.#channel);
  }

  /** Stays attached until `leave` or the signal; comes back after every cut. Throws when hpsd says that this identity is over. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!this.#leaving.signal.aborted && !signal.aborted) {
        const wait = await this.#attachOnce(signal);
        const stop = AbortSignal.any([signal, this.#leaving.signal]);
        if (wait > 0) await sleep(wait, undefined, { signal: stop }).catch(() => undefined);
      }
    } finally {
      for (const channel of this.#retired) channel.close();
    }
  }

  /** Attaches anew, with the identity as it is now. What else runs on the old connection may finish. */
  reattach(): void {
    this.#reattach = true;
    this.#session?.leave();
  }

  /** Ends the stream for good, after what hpsd has asked is answered and, within `limitMs`, everything is acknowledged. */
  async leave(limitMs: number): Promise<void> {
    await this.#emptied(limitMs);
    this.#leaving.abort();
    this.#session?.leave();
  }

  async *#serveShell(...[requests, options]: Parameters<Link["serveShell"]>) {
    while (!this.#attached) await unlessAborted(this.#changed.rung, options?.signal);
    yield* this.service().serveShell(requests, options);
  }

  #welcomed(welcome: Welcome): void {
    this.#options.onWelcome(welcome);
    this.#attached = true;
    this.#changed.ring();
    this.#options.onState?.(true, "", true);
    this.#options.log.info("attached", { host: welcome.hostId, server: welcome.serverVersion });
  }

  /** Gives the milliseconds to wait before the next attempt. */
  async #attachOnce(signal: AbortSignal): Promise<number> {
    const channel = this.#open();
    const onWelcome = (welcome: Welcome) => this.#welcomed(welcome);
    const session = new AttachSession({ ...this.#options, onWelcome, service: client(AgentService, channel) });
    this.#channel = channel;
    this.#session = session;
    this.#reattach = false;
    const began = performance.now();
    try {
      await session.run(signal);
      return this.#waitAfter(began, new HpsError("unavailable", "hpsd ended the Attach"));
    } catch (error) {
      return this.#waitAfter(began, error);
    } finally {
      this.#attached = false;
      this.#channel = undefined;
      this.#session = undefined;
      this.#retire(channel);
    }
  }

  #waitAfter(began: number, error: unknown): number {
    const { backoff, identity, log, onState } = this.#options;
    if (this.#leaving.signal.aborted || this.#reattach) return 0;
    const verdict = verdictOn(error);
    onState?.(false, describeError(error), verdict !== "again");
    // A host's certificate may be made good again, and nobody would start its agent.
    if (verdict === "over" && identity.peer.kind === "installer") throw error;
    if (verdict === "new-run") this.#beginRun();
    if (performance.now() - began > backoff.max) this.#backoff.reset();
    const wait = verdict === "again" ? this.#backoff.next() : this.#backoff.longest();
    log.warn(`not attached: ${describeError(error)}`, { retryMs: Math.round(wait) });
    return wait;
  }

  /** What hpsd refused once it would refuse for ever. */
  #beginRun(): void {
    const { outbox, onNewRun, log } = this.#options;
    outbox.beginRun();
    onNewRun();
    log.warn("beginning a new run", { run: outbox.runId });
  }

  #open(): Channel {
    const { identity, version } = this.#options;
    const { grpc, rootCertificate, trustDomain } = identity.contact;
    const check = serverIdentityCheck(trustDomain);
    const host = grpc.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
    const tls = {
      ...tlsKeyPair(identity.credentials),
      ca: rootCertificate,
      checkServer: (certificate: { readonly raw: Buffer }) => check(host, certificate)?.message,
    };
    return openChannel({ address: grpc, tls, version });
  }

  #retire(channel: Channel): void {
    if (!this.#reattach || channel.calls.size === 0) {
      channel.close();
      return;
    }
    this.#retired.add(channel);
    const end = performance.now() + RETIRE_LIMIT;
    const timer = setInterval(() => {
      if (channel.calls.size > 0 && performance.now() < end && this.#retired.has(channel)) return;
      clearInterval(timer);
      this.#retired.delete(channel);
      channel.close();
    }, RETIRE_LOOK);
    timer.unref();
  }

  async #emptied(limitMs: number): Promise<void> {
    const { outbox } = this.#options;
    const empty = Promise.withResolvers<void>();
    const stop = outbox.listen(() => {
      if (outbox.size === 0) empty.resolve();
    });
    const timer = setTimeout(empty.resolve, limitMs);
    if (outbox.size > 0) await empty.promise;
    clearTimeout(timer);
    stop();
  }
}
