import { type AnswerHead, bodyLength, readHead, unchunked } from "./answer-head.ts";
import { Connection, lost, type Target } from "./connection.ts";
import type { Connections } from "./connections.ts";

export interface Request {
  readonly target: Target;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** To take a connection from, and to leave it to. */
  readonly connections: Connections;
  /** Ends it, at any time before its answer has ended. */
  readonly signal: AbortSignal;
}

/** The end of a body in chunks. */
const LAST_CHUNK = /(?:^|\r\n)0+\r\n\r\n$/;
/** Answers that another is to follow, before that one. */
const MOST_INTERIM = 8;
const WITHOUT_BODY: readonly number[] = [204, 304];

/** A GET request and its answer, as HTTP/1.1 has them. */
export class Exchange {
  readonly head: AnswerHead;
  readonly #request: Request;
  readonly #connection: Connection;
  readonly #giveUp: () => void;
  /** What of the body came with the head. */
  #first: Buffer;
  /** Of the body; undefined where its length is not told. */
  #left: number | undefined;
  /** Nothing came behind the body, which the next answer would begin with. */
  #isExact = true;

  private constructor(request: Request, connection: Connection, answer: { head: AnswerHead; first: Buffer }) {
    this.#request = request;
    this.#connection = connection;
    this.head = answer.head;
    this.#first = answer.first;
    this.#left = WITHOUT_BODY.includes(answer.head.status) ? 0 : bodyLength(answer.head);
    this.#giveUp = () => connection.destroy();
    request.signal.addEventListener("abort", this.#giveUp, { once: true });
    if (request.signal.aborted) this.#giveUp();
  }

  /** Asks, and gives the answer when its head has come. */
  static async ask(request: Request): Promise<Exchange> {
    const { target, connections, signal } = request;
    const kept = connections.kept(target);
    if (kept !== undefined) {
      const answer = await answerOn(kept, request);
      if (answer !== undefined) return new Exchange(request, kept, answer);
      // It was closed just when it was asked.
      signal.throwIfAborted();
    }
    const connection = await Connection.open(target, signal);
    const answer = await answerOn(connection, request);
    if (answer === undefined) throw lost();
    return new Exchange(request, connection, answer);
  }

  /** How long the body is; undefined when it is not told. */
  get length(): number | undefined {
    return this.#left;
  }

  /** The next of a body whose length is told, valid until the next call; undefined at its end. */
  async next(): Promise<Buffer | undefined> {
    const left = this.#left ?? 0;
    if (left === 0) return this.#done();
    let bytes: Buffer | undefined = this.#first;
    this.#first = NOTHING;
    if (bytes.length === 0) bytes = await this.#connection.take();
    if (bytes === undefined) throw lost();
    const wanted = bytes.subarray(0, left);
    this.#left = left - wanted.length;
    this.#isExact = wanted.length === bytes.length;
    return wanted;
  }

  /** All of the body, cut behind `most` bytes; afterwards the exchange is over. */
  async text(most: number): Promise<Buffer> {
    const parts = [Buffer.from(this.#first)];
    let length = this.#first.length;
    while (length < Math.min(this.#left ?? most, most) && !this.#endsIn(parts)) {
      const bytes = await this.#connection.take();
      if (bytes === undefined) break;
      parts.push(Buffer.from(bytes));
      length += bytes.length;
    }
    this.end();
    const body = Buffer.concat(parts);
    return (this.head.headers.has("transfer-encoding") ? unchunked(body) : body).subarray(0, most);
  }

  /** Over, whether all has come or not. */
  end(): void {
    this.#request.signal.removeEventListener("abort", this.#giveUp);
    this.#connection.destroy();
  }

  #endsIn(parts: readonly Buffer[]): boolean {
    if (this.#left !== undefined) return false;
    return LAST_CHUNK.test(Buffer.concat(parts).toString("latin1"));
  }

  #done(): undefined {
    const { connections, target, signal } = this.#request;
    signal.removeEventListener("abort", this.#giveUp);
    if (this.head.isKept && this.#isExact && this.#connection.isIdle) connections.keep(target, this.#connection);
    else this.#connection.destroy();
  }
}

const NOTHING = Buffer.alloc(0);

/** Undefined when the connection ends without a word. */
async function answerOn(connection: Connection, { target, path, headers, signal }: Request) {
  const giveUp = () => connection.destroy();
  signal.addEventListener("abort", giveUp, { once: true });
  let came = NOTHING;
  let interim = 0;
  try {
    if (signal.aborted) giveUp();
    connection.send(requestText(target, path, headers));
    for (;;) {
      const bytes = await connection.take();
      if (bytes === undefined) throw lost();
      came = Buffer.concat([came, bytes]);
      for (let found = readHead(came); found !== undefined; found = readHead(came)) {
        const { head, length } = found;
        came = came.subarray(length);
        if (head.status >= 200) return { head, first: came };
        interim += 1;
        if (interim > MOST_INTERIM) throw new Error("the server answers that it is about to answer, again and again");
      }
    }
  } catch (error) {
    connection.destroy();
    if (came.length === 0 && error instanceof Error && "code" in error && error.code === "ECONNRESET") return undefined;
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

function requestText({ host, port, tls }: Target, path: string, headers: Request["headers"]): string {
  const name = host.includes(":") ? `[${host}]` : host;
  const usual = tls === undefined ? 80 : 443;
  const all = { host: port === usual ? name : `${name}:${port}`, connection: "keep-alive", ...headers };
  const lines = Object.entries(all).map(([key, value]) => `${key}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}
