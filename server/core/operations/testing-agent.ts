/** For tests: one end of an agent's stream, without the wire. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type AttachRequest, AttachRequestSchema } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { AttachResponseInit } from "../presence/pending-commands.ts";
import type { AgentCaller } from "./agent-messages.ts";
import type { Agents } from "./agents.ts";

export type RequestInit = NonNullable<MessageInitShape<typeof AttachRequestSchema>["message"]>;
type EventInit = NonNullable<Extract<RequestInit, { case: "event" }>["value"]["event"]>;

export const hello = (runId: string = newUuid(), more: object = {}): RequestInit => ({
  case: "hello",
  value: { runId, version: "0.1.0", ...more },
});
export const event = (sequence: number, content: EventInit): RequestInit => ({
  case: "event",
  value: { sequence: BigInt(sequence), event: content },
});
export const plan = (...steps: string[]): EventInit => ({ case: "plan", value: { steps } });
export const started = (step: string): EventInit => ({ case: "stepStarted", value: { step } });
export const succeeded = (step: string): EventInit => ({ case: "stepSucceeded", value: { step } });
export const failed = (step: string, reason: string): EventInit => ({ case: "stepFailed", value: { step, reason } });
export const progress = (step: string, done: number): EventInit => ({
  case: "stepProgress",
  value: { step, done: BigInt(done), total: 100n, unit: "bytes" },
});
export const line = (sequence: number, text: string | Uint8Array, source = "agent"): RequestInit => ({
  case: "log",
  value: { sequence: BigInt(sequence), text: typeof text === "string" ? Buffer.from(text) : text, source },
});

export class TestStream {
  readonly responses: AttachResponseInit[] = [];
  /** How it ended: what it was told, or undefined for a good end. */
  readonly ended: Promise<unknown>;
  readonly #queue: AttachRequest[] = [];
  #wake: (() => void) | undefined;
  #end: { readonly reason?: HpsError } | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(agents: Agents, caller: AgentCaller) {
    const responses = agents.attach(caller, this.#requests(), { end: (reason) => this.#stop({ reason }) });
    this.ended = this.#collect(responses).then(
      () => this.#end?.reason,
      (error: unknown) => this.#end?.reason ?? error,
    );
    void this.ended.then(() => this.#changed.resolve());
  }

  send(...messages: readonly RequestInit[]): this {
    this.#queue.push(...messages.map((message) => create(AttachRequestSchema, { message })));
    this.#wake?.();
    return this;
  }

  /** No more from here; what was sent is still read. */
  close(): this {
    this.#stop({});
    return this;
  }

  /** The connection breaks: what was not read yet is lost. */
  cut(): void {
    this.#stop({ reason: new HpsError("cancelled", "the peer cancelled the call") });
  }

  get acknowledged(): number {
    const numbers = this.responses.map(({ message }) => {
      if (message?.case === "acknowledgement") return Number(message.value.sequence);
      return message?.case === "welcome" ? Number(message.value.acknowledgedSequence) : 0;
    });
    return Math.max(0, ...numbers);
  }

  /** The welcome; rejects with how the stream ended when there is none. */
  async welcome() {
    const message = (await this.#until(() => this.responses[0]))?.message;
    if (message?.case === "welcome") return message.value;
    throw (await this.ended) ?? new Error("no welcome came");
  }

  /** Resolves when this much is acknowledged, or the stream has ended. */
  async untilAcknowledged(sequence: number): Promise<void> {
    await this.#until(() => (this.acknowledged >= sequence ? true : undefined));
  }

  async untilCommand(which: string) {
    return await this.#until(() =>
      this.responses
        .map(({ message }) => message)
        .find((m) => m?.case === "command" && m.value.command?.case === which),
    );
  }

  async #until<T>(look: () => T | undefined): Promise<T | undefined> {
    let over = false;
    void this.ended.then(() => {
      over = true;
    });
    for (;;) {
      const found = look();
      if (found !== undefined || over) return found;
      await this.#changed.promise;
    }
  }

  #stop(end: { readonly reason?: HpsError }): void {
    this.#end ??= end;
    this.#wake?.();
  }

  async *#requests(): AsyncGenerator<AttachRequest, void, void> {
    for (;;) {
      if (this.#end?.reason !== undefined) throw this.#end.reason;
      const next = this.#queue.shift();
      if (next !== undefined) yield next;
      else if (this.#end !== undefined) return;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
    }
  }

  async #collect(responses: AsyncIterable<AttachResponseInit>): Promise<void> {
    for await (const response of responses) {
      this.responses.push(response);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers<void>();
    }
  }
}
