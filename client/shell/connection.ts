import type { MessageInitShape } from "@bufbuild/protobuf";
import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import { holdBufferRoom } from "../../proto/flow/buffer-room.ts";
import type {
  AttachSessionRequestSchema,
  AttachSessionResponse,
  AttachSessionSchema,
  OpenSessionRequestSchema,
  OpenSessionResponse,
  Session,
  StartSessionSchema,
} from "../../proto/gen/hps/v1/shell_pb.ts";
import type { CallOptions } from "../../proto/rpc/rpc-client.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Hps } from "../sdk/connect.ts";

export type SessionStart = MessageInitShape<typeof StartSessionSchema>;
export type SessionAttach = MessageInitShape<typeof AttachSessionSchema>;
type OpenRequest = MessageInitShape<typeof OpenSessionRequestSchema>;
type AttachRequest = MessageInitShape<typeof AttachSessionRequestSchema>;
type Response = OpenSessionResponse | AttachSessionResponse;
/** What goes up after the first message: the same for who began a session and for who came later. */
export type Upward = Exclude<
  NonNullable<OpenRequest["message"]>,
  { readonly case: "start" } | { readonly case?: undefined }
>;
/** What comes down after the session. */
type Downward = Exclude<OpenSessionResponse["message"], { readonly case: "session" | undefined }>;

/** hpsd, or a host's own agent. */
interface Opener {
  readonly shells: Pick<Hps["shells"], "openSession">;
}

interface Rest {
  readonly message: Upward;
}

/** For hpsd to answer: a session may wait for somebody's approval, and one that goes on is there or not. */
const OPEN_MS = 24 * 3_600_000;
const ATTACH_MS = 15_000;
/** Bytes in one message. */
const PIECE = 65_536;
/** What waits for a slow network; beyond it standard input is not read on. */
const CAPACITY = 256 * 1024;

/** Taking part in a session: what it says, and what it is told. */
export class Connection implements Disposable {
  readonly session: Session;
  /** What it is called among those who take part. */
  readonly participant: string;
  readonly #input: BoundedQueue<Rest>;
  readonly #responses: AsyncIterator<Response>;
  readonly #cut: AbortController;
  readonly #room = holdBufferRoom();

  private constructor({ session, participant }: Greeting, { input, responses, cut }: Wires) {
    this.session = session;
    this.participant = participant;
    this.#input = input;
    this.#responses = responses;
    this.#cut = cut;
  }

  /** Begins a session. Resolves when it is there and recorded; nothing of standard input is taken before. */
  static async open(hps: Opener, start: SessionStart, options: CallOptions): Promise<Connection> {
    const first: OpenRequest = { message: { case: "start", value: start } };
    const open = (input: AsyncIterable<Rest>, call: CallOptions) => hps.shells.openSession(after(first, input), call);
    return await Connection.#connect(options, OPEN_MS, open);
  }

  /** Takes part in one that goes on. */
  static async attach(hps: Hps, attach: SessionAttach, options: CallOptions): Promise<Connection> {
    const first: AttachRequest = { message: { case: "attach", value: attach } };
    const join = (input: AsyncIterable<Rest>, call: CallOptions) => hps.shells.attachSession(after(first, input), call);
    return await Connection.#connect(options, ATTACH_MS, join);
  }

  static async #connect(
    options: CallOptions,
    greetingMs: number,
    call: (input: AsyncIterable<Rest>, options: CallOptions) => AsyncIterable<Response>,
  ): Promise<Connection> {
    const input = new BoundedQueue<Rest>({ capacity: CAPACITY, sizeOf });
    const cut = new AbortController();
    const signal = options.signal === undefined ? cut.signal : AbortSignal.any([options.signal, cut.signal]);
    const responses = call(input, { ...options, signal })[Symbol.asyncIterator]();
    const late = setTimeout(() => cut.abort(), greetingMs).unref();
    const first = await responses.next().finally(() => clearTimeout(late));
    if (first.done !== true && first.value.message.case === "session") {
      const { message, participant } = first.value;
      return new Connection({ session: message.value, participant }, { input, responses, cut });
    }
    cut.abort();
    throw new HpsError("data-loss", "hpsd's first answer is no session");
  }

  /** Everything that comes, to the last message. Leaving the loop ends the call. */
  async *messages(): AsyncGenerator<Downward, void> {
    try {
      for (let next = await this.#responses.next(); next.done !== true; next = await this.#responses.next()) {
        const { message } = next.value;
        if (message.case !== undefined && message.case !== "session") yield message;
      }
    } finally {
      this.cut();
    }
  }

  /** Resolves when there is room for more; to false when the call is over and nobody wants it. */
  async send(message: Upward): Promise<boolean> {
    return await this.#input.put({ message });
  }

  /** Input of any length; as `send`. */
  async type(bytes: Uint8Array): Promise<boolean> {
    let isWanted = true;
    for (let at = 0; isWanted && at < bytes.length; at += PIECE) {
      isWanted = await this.send({ case: "input", value: bytes.subarray(at, at + PIECE) });
    }
    return isWanted;
  }

  /** Ends the call at once. */
  cut(): void {
    this.#cut.abort();
    void this.#input.return();
    this.#room[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.cut();
  }
}

interface Greeting {
  readonly session: Session;
  readonly participant: string;
}

interface Wires {
  readonly input: BoundedQueue<Rest>;
  readonly responses: AsyncIterator<Response>;
  readonly cut: AbortController;
}

async function* after<First>(first: First, rest: AsyncIterable<Rest>): AsyncGenerator<First | Rest, void> {
  yield first;
  yield* rest;
}

function sizeOf({ message }: Rest): number {
  return message.case === "input" ? (message.value?.length ?? 0) : 0;
}
