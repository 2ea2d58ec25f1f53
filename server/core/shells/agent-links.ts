import type { ResumeShell, ServeShellRequest } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { OneAtATime } from "../files/one-at-a-time.ts";
import { AgentFeed, type ToAgent } from "./agent-feed.ts";
import { Hold } from "./hold.ts";
import type { ShellOutput } from "./participant.ts";

/** One stream of the host's agent for one session. */
export interface AgentLink {
  /** What it is sent. Ends when the session does; with an error when only this stream does. */
  readonly toAgent: AsyncIterable<ToAgent>;
  /** Resolves when there is room for more. Throws `invalid` for what no agent sends. */
  receive(message: FromAgent): Promise<void>;
  /** The stream has ended, and why. */
  lost(reason: string): void;
  /** What came from the agent makes no sense: the session ends. */
  broken(reason: string): void;
}

type FromAgent = Exclude<ServeShellRequest["message"], { case: undefined | "session" | "resume" }>;

/** What links need of their session. */
export interface LinkedSession {
  readonly isTerminal: boolean;
  /** Bytes of output since the session's beginning that the agent need not keep. */
  readonly outputBytes: number;
  /** Resolves when it is recorded. Throws `invalid` for a piece that is too large. */
  record(message: ShellOutput): Promise<void>;
  /** After `record`, in the same order: resolves when there is room for more. */
  show(message: ShellOutput): Promise<void>;
  /** No stream is there; a terminal waits for one. */
  linkLost(): void;
  /** One that goes on; between what was recorded and what it still has, so many bytes are lost. */
  linkBack(missing: number): Promise<void>;
  /** None comes any more. */
  linkGone(reason: string): void;
}

export interface LinksOptions {
  readonly session: LinkedSession;
  /** How long a terminal waits for its agent. */
  readonly lostMs: number;
  readonly goneReason: string;
  /** It was begun under an earlier hpsd. */
  readonly restored: boolean;
}

/** The agent's streams for one session, one after the other: a command has one, a terminal goes on with the next. */
export class AgentLinks {
  readonly feed = new AgentFeed();
  readonly #session: LinkedSession;
  readonly #hold: Hold;
  readonly #records = new OneAtATime();
  #isNew: boolean;
  #wasServed: boolean;
  #link: object | undefined;
  #isOver = false;

  constructor({ session, lostMs, goneReason, restored }: LinksOptions) {
    this.#session = session;
    this.#isNew = restored;
    this.#wasServed = restored;
    this.#hold = new Hold(lostMs, () => session.linkGone(goneReason));
    if (restored) this.#hold.begin();
  }

  get wasServed(): boolean {
    return this.#wasServed;
  }

  /** It was served, and now no agent does. */
  get isLost(): boolean {
    return this.#wasServed && this.#link === undefined;
  }

  /** The agent's first stream. `precondition` for a second. */
  first(): AgentLink {
    if (this.#wasServed) throw new HpsError("precondition", "the session is served already");
    this.#wasServed = true;
    return this.#begin();
  }

  /**
   * A stream that goes on: the agent has output from `firstOffset` to `nextOffset`, and is told from where to send. What was
   * on its way in the stream before is recorded first, so that no byte comes twice. `invalid` for offsets that cannot be.
   */
  async resume(asked: ResumeShell): Promise<AgentLink> {
    if (!this.#session.isTerminal || !this.#wasServed) {
      throw new HpsError("invalid", "only a terminal that was served goes on with a new stream");
    }
    this.#link = undefined;
    this.feed.cut(new HpsError("aborted", "the agent serves this session on a newer stream"));
    this.#hold.begin();
    return await this.#records.run(async () => await this.#goOn(asked));
  }

  /** The stream that is there ends with this error; the agent comes back when it can. */
  cut(error: HpsError): void {
    this.#link = undefined;
    this.feed.cut(error);
  }

  /** The session is over: the agent's stream ends, and with it what it runs. */
  close(): void {
    this.#isOver = true;
    this.#hold.release();
    void this.feed.return();
  }

  async #goOn(asked: ResumeShell): Promise<AgentLink> {
    try {
      const { outputBytes } = this.#session;
      const missing = missingBytes(asked, outputBytes);
      const recorded = outputBytes + missing;
      this.feed.resume(asked.inputOffset, { recorded, isNew: this.#isNew });
      this.#isNew = false;
      await this.#session.linkBack(missing);
    } catch (error) {
      this.#session.linkGone(brokenBy(error));
      throw error;
    }
    this.#hold.release();
    return this.#begin();
  }

  #begin(): AgentLink {
    const toAgent = this.feed.stream();
    const link = {};
    this.#link = link;
    return {
      toAgent,
      receive: async (message) => {
        if (this.#link !== link) return;
        if (message.case === "inputTaken") this.feed.inputTaken(message.value);
        else await this.#receive(link, message);
      },
      lost: (reason) => this.#lost(link, reason),
      broken: (reason) => {
        if (this.#link === link) this.#session.linkGone(reason);
      },
    };
  }

  async #receive(link: object, message: ShellOutput): Promise<void> {
    const isRecorded = await this.#records.run(async () => {
      if (this.#link !== link) return false;
      await this.#session.record(message);
      return true;
    });
    if (isRecorded) await this.#session.show(message);
  }

  #lost(link: object, reason: string): void {
    if (this.#link !== link || this.#isOver) return;
    this.#link = undefined;
    if (!this.#session.isTerminal) {
      this.#session.linkGone(reason);
      return;
    }
    this.feed.cut(new HpsError("unavailable", "the stream was lost"));
    this.#hold.begin();
    this.#session.linkLost();
  }
}

/** What ends a session whose agent sends what it may not. */
export function brokenBy(error: unknown): string {
  const isSaid = error instanceof HpsError && error.code === "invalid";
  return isSaid ? `the agent broke the protocol: ${error.message}` : "the agent's stream broke";
}

function missingBytes({ firstOffset, nextOffset }: ResumeShell, recorded: number): number {
  if (firstOffset > nextOffset || nextOffset < BigInt(recorded)) {
    throw new HpsError(
      "invalid",
      `the agent has output from ${firstOffset} to ${nextOffset}, and ${recorded} is recorded`,
    );
  }
  return Math.max(0, Number(firstOffset) - recorded);
}
