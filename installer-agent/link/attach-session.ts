import { uptime } from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { AgentService, AttachResponse, Command, HelloSchema, Welcome } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type AttachMessage, heartbeatMessage, resultMessage } from "./attach-messages.ts";
import type { Outbox } from "./outbox.ts";

/** How long hpsd may take to connect and say Welcome, and to end a stream we have ended. */
const WELCOME_LIMIT = 20_000;
const LEAVE_LIMIT = 5_000;
const DEFAULT_HEARTBEAT = 30_000;

export interface SessionOptions {
  readonly service: Client<typeof AgentService>;
  readonly outbox: Outbox;
  readonly hello: () => MessageInitShape<typeof HelloSchema>;
  /** Used when the Welcome names none; milliseconds. */
  readonly heartbeat?: number;
  /** How many milliseconds open shells may hold the restart; undefined: they do not. */
  readonly shellsHold?: () => number | undefined;
  readonly onWelcome: (welcome: Welcome) => void;
  /** Resolves with the result for hpsd: empty when done, else why not. Never rejects. */
  readonly onCommand: (command: Command) => Promise<string>;
}

/** One Attach stream, from Hello to its end. */
export class AttachSession {
  readonly #options: SessionOptions;
  readonly #cut = new AbortController();
  readonly #welcomed = Promise.withResolvers<void>();
  readonly #results: AttachMessage[] = [];
  #limit: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #executing = 0;
  #heartbeatDue = false;
  #leaving = false;
  #wake: (() => void) | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Resolves when the stream ended well, on either side's wish; rejects with what cut it. */
  async run(signal: AbortSignal): Promise<void> {
    const { service, outbox } = this.#options;
    const stopListening = outbox.listen(() => this.#wake?.());
    const late = new HpsError("deadline", "hpsd did not answer the Attach in time");
    this.#limit = setTimeout(() => this.#cut.abort(late), WELCOME_LIMIT);
    try {
      const cut = AbortSignal.any([signal, this.#cut.signal]);
      let first = true;
      for await (const response of service.attach(this.#messages(), { signal: cut })) {
        this.#received(response, first);
        first = false;
      }
      if (first) throw new HpsError("unavailable", "hpsd ended the Attach without a word");
    } catch (error) {
      signal.throwIfAborted();
      throw this.#cut.signal.aborted ? this.#cut.signal.reason : error;
    } finally {
      stopListening();
      clearTimeout(this.#limit);
      clearTimeout(this.#heartbeat);
      this.#cut.abort();
      this.#wake?.();
    }
  }

  /** Ends the stream after the results of the commands that came. */
  leave(): void {
    const late = new HpsError("deadline", "hpsd did not end the Attach in time");
    this.#leaving = true;
    this.#welcomed.resolve();
    this.#wake?.();
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => this.#cut.abort(late), LEAVE_LIMIT);
  }

  /** A message of no known kind is a newer hpsd's, and left alone. */
  #received({ message }: AttachResponse, first: boolean): void {
    if (first !== (message.case === "welcome")) {
      throw new HpsError("unavailable", "hpsd did not begin the Attach with a Welcome, or said it twice");
    }
    if (message.case === "welcome") this.#welcome(message.value);
    if (message.case === "acknowledgement") this.#options.outbox.acknowledge(message.value.sequence);
    if (message.case === "command") void this.#execute(message.value);
  }

  #welcome(welcome: Welcome): void {
    if (!this.#leaving) clearTimeout(this.#limit);
    const { outbox, onWelcome, heartbeat = DEFAULT_HEARTBEAT } = this.#options;
    if (!outbox.resume(welcome.acknowledgedSequence)) {
      throw new HpsError("invalid", "hpsd lost what it had acknowledged");
    }
    onWelcome(welcome);
    const { seconds = 0n, nanos = 0 } = welcome.heartbeatInterval ?? {};
    const told = Number(seconds) * 1000 + nanos / 1e6;
    // The first at a random moment, so that agents that return together do not speak together.
    const interval = told > 0 ? Math.min(Math.max(told, 50), 3_600_000) : heartbeat;
    this.#beat(interval * Math.random(), interval);
    this.#welcomed.resolve();
  }

  #beat(wait: number, interval: number): void {
    this.#heartbeat = setTimeout(() => {
      this.#heartbeatDue = true;
      this.#wake?.();
      this.#beat(interval, interval);
    }, wait);
  }

  async #execute(command: Command): Promise<void> {
    this.#executing += 1;
    const error = await this.#options.onCommand(command);
    this.#executing -= 1;
    this.#results.push(resultMessage(command.id, error));
    this.#wake?.();
  }

  async *#messages(): AsyncGenerator<AttachMessage, void> {
    const { hello, outbox } = this.#options;
    const running = durationFromMs(Math.round(uptime() * 1000));
    yield { message: { case: "hello", value: { ...hello(), runId: outbox.runId, uptime: running } } };
    await this.#welcomed.promise;
    while (!this.#cut.signal.aborted) {
      const message = this.#next();
      if (message !== undefined) yield message;
      else if (this.#leaving && this.#executing === 0) return;
      else await this.#work();
    }
  }

  #next(): AttachMessage | undefined {
    if (this.#heartbeatDue) {
      this.#heartbeatDue = false;
      const { outbox, shellsHold } = this.#options;
      return heartbeatMessage(outbox.size, shellsHold?.());
    }
    return this.#results.shift() ?? (this.#leaving ? undefined : this.#options.outbox.next());
  }

  /** Until something may have to be sent. */
  #work(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
