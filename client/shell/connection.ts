import type { MessageInitShape } from "@bufbuild/protobuf";
import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import type {
  OpenSessionRequestSchema,
  OpenSessionResponse,
  Session,
  StartSessionSchema,
} from "../../proto/gen/hps/v1/shell_pb.ts";
import type { CallOptions } from "../../proto/rpc/rpc-client.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Hps } from "../sdk/connect.ts";

type Request = MessageInitShape<typeof OpenSessionRequestSchema>;
export type SessionStart = MessageInitShape<typeof StartSessionSchema>;
/** What goes up after the start. */
export type Upward = Exclude<
  NonNullable<Request["message"]>,
  { readonly case: "start" } | { readonly case?: undefined }
>;
/** What comes down after the session. */
export type Downward = Exclude<OpenSessionResponse["message"], { readonly case: "session" | undefined }>;

/** Bytes in one message. */
const PIECE = 65_536;
/** What waits for a slow network; beyond it standard input is not read on. */
const CAPACITY = 256 * 1024;

/** An open session: what it says, and what it is told. */
export class Connection implements Disposable {
  readonly session: Session;
  readonly #input: BoundedQueue<Request>;
  readonly #responses: AsyncIterator<OpenSessionResponse>;
  readonly #cut: AbortController;

  private constructor(session: Session, { input, responses, cut }: Wires) {
    this.session = session;
    this.#input = input;
    this.#responses = responses;
    this.#cut = cut;
  }

  /** Resolves when the session is there and recorded. Nothing of standard input is taken before. */
  static async open(hps: Hps, start: SessionStart, options: CallOptions): Promise<Connection> {
    const input = new BoundedQueue<Request>({ capacity: CAPACITY, sizeOf });
    void input.put({ message: { case: "start", value: start } });
    const cut = new AbortController();
    const signal = options.signal === undefined ? cut.signal : AbortSignal.any([options.signal, cut.signal]);
    const responses = hps.shells.openSession(input, { ...options, signal })[Symbol.asyncIterator]();
    const first = await responses.next();
    if (first.done !== true && first.value.message.case === "session") {
      return new Connection(first.value.message.value, { input, responses, cut });
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
      isWanted = await this.send({ case: "input", value: new Uint8Array(bytes.subarray(at, at + PIECE)) });
    }
    return isWanted;
  }

  /** Ends the call at once. */
  cut(): void {
    this.#cut.abort();
    void this.#input.return();
  }

  [Symbol.dispose](): void {
    this.cut();
  }
}

interface Wires {
  readonly input: BoundedQueue<Request>;
  readonly responses: AsyncIterator<OpenSessionResponse>;
  readonly cut: AbortController;
}

function sizeOf({ message }: Request): number {
  return message?.case === "input" ? (message.value?.length ?? 0) : 0;
}
