import type { MessageInitShape } from "@bufbuild/protobuf";
import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import type {
  AttachSessionRequestSchema,
  AttachSessionResponse,
  AttachSessionSchema,
  OpenSessionRequestSchema,
  OpenSessionResponse,
  Session,
  ShellService,
  StartSessionSchema,
} from "../../proto/gen/hps/v1/shell_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";

type Operator = Client<typeof ShellService>;
type Input = MessageInitShape<typeof OpenSessionRequestSchema>;
type Inputs = BoundedQueue<Input>;
type Response = OpenSessionResponse | AttachSessionResponse;
type Call = (input: Inputs, options: { readonly signal: AbortSignal }) => AsyncIterable<Response>;

/** One session as an operator's program sees it. */
export class OperatorSession {
  readonly #input: Inputs = new BoundedQueue<Input>({ capacity: 1024 * 1024, sizeOf: () => 0 });
  readonly #responses: AsyncIterator<Response>;
  readonly session: Promise<Session>;
  readonly output: Buffer[] = [];
  readonly errorOutput: Buffer[] = [];
  readonly notices: string[] = [];
  /** What it is called among the participants. */
  participant = "";
  readonly #cancel = new AbortController();

  private constructor(call: Call) {
    this.#responses = call(this.#input, { signal: this.#cancel.signal })[Symbol.asyncIterator]();
    this.session = this.#first();
    this.session.catch(() => undefined);
  }

  static open(operator: Operator, start: MessageInitShape<typeof StartSessionSchema>): OperatorSession {
    return new OperatorSession((input, options) => {
      void input.put({ message: { case: "start", value: start } });
      return operator.openSession(input, options);
    });
  }

  static attach(operator: Operator, attach: MessageInitShape<typeof AttachSessionSchema>): OperatorSession {
    return new OperatorSession((input, options) => operator.attachSession(attachRequests(attach, input), options));
  }

  async send(message: Input["message"]): Promise<void> {
    if (message !== undefined) await this.#input.put({ message });
  }

  async type(text: string): Promise<void> {
    await this.send({ case: "input", value: Buffer.from(text) });
  }

  /** The next message, kept. */
  async next(): Promise<Response["message"] | undefined> {
    await this.session;
    const result = await this.#responses.next();
    if (result.done === true) return undefined;
    const { message } = result.value;
    if (message.case === "output") this.output.push(Buffer.from(message.value));
    if (message.case === "errorOutput") this.errorOutput.push(Buffer.from(message.value));
    if (message.case === "notice") this.notices.push(message.value.text);
    // As hpsctl does: hpsd waits for whoever was told all to end the call.
    if (message.case === "exit" || message.case === "detached") this.#input.end();
    return message;
  }

  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.text);
      if (found !== null) return found;
      if ((await this.next()) === undefined) throw new Error(`ended without ${pattern}: ${this.text}`);
    }
  }

  get text(): string {
    return Buffer.concat(this.output).toString("utf8");
  }

  /** Reads to the end; the exit is the last message. */
  async exit(): Promise<{ readonly code: number; readonly signal: number; readonly reason: string }> {
    const last = await this.last();
    if (last?.case !== "exit") throw new Error("the last message was no exit");
    return last.value;
  }

  /** Reads to the end. */
  async last(): Promise<Response["message"] | undefined> {
    let last: Response["message"] | undefined;
    for (let message = await this.next(); message !== undefined; message = await this.next()) last = message;
    return last;
  }

  cancel(): void {
    this.#cancel.abort();
  }

  async #first(): Promise<Session> {
    const first = await this.#responses.next();
    if (first.done === true || first.value.message.case !== "session")
      throw new Error("the first message is no session");
    this.participant = first.value.participant;
    return first.value.message.value;
  }
}

async function* attachRequests(
  value: MessageInitShape<typeof AttachSessionSchema>,
  input: Inputs,
): AsyncGenerator<MessageInitShape<typeof AttachSessionRequestSchema>, void> {
  yield { message: { case: "attach", value } };
  for await (const { message } of input) {
    if (message !== undefined && message.case !== "start") yield { message };
  }
}
