import { connect as connectPlain, isIP, type OnReadOpts, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";

/** Whom to connect to. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Undefined: without TLS. */
  readonly tls: ConnectionOptions | undefined;
}

/** What the kernel or TLS gives at once; TLS no more than a record. */
const PIECE = 64 * 1024;
/** Read ahead while the reader is busy: nothing more is taken from the network once as much waits for it. */
const READ_AHEAD = 192 * 1024;
/** What was on its way within TLS when reading was paused comes nevertheless. */
const ROOM = READ_AHEAD + 2 * PIECE;

/**
 * A byte stream over TCP or TLS that is read into memory of its own, again and again the same: Node's streams take new memory for
 * each piece that comes, and V8 then looks for garbage as long as anything comes, on as many processors as there are
 * (docs/adr/0010, with what was measured).
 */
export class Connection {
  readonly #socket: Socket;
  /** What has come since the last `take`, and the memory that was given by it. */
  #filling = Buffer.allocUnsafeSlow(ROOM);
  #given = Buffer.allocUnsafeSlow(ROOM);
  #filled = 0;
  #ended = false;
  #failure: Error | undefined;
  #news = Promise.withResolvers<void>();

  private constructor({ host, port, tls }: Target) {
    const onread: OnReadOpts = {
      buffer: Buffer.allocUnsafeSlow(PIECE),
      callback: (count, bytes) => this.#came(bytes.subarray(0, count)),
    };
    const to = { host, port, onread };
    const secure = { servername: isIP(host) ? "" : host, ALPNProtocols: ["http/1.1"], ...tls, ...to };
    this.#socket = (tls === undefined ? connectPlain(to) : connectTls(secure)).setNoDelay();
    this.#socket
      .on("error", (error) => this.destroy(error))
      .on("end", () => this.#end())
      .on("close", () => this.#end())
      .once(tls === undefined ? "connect" : "secureConnect", () => this.#news.resolve());
  }

  /** Connected, and the server is who it should be; until then `signal` ends it. */
  static async open(target: Target, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    const connection = new Connection(target);
    const giveUp = () => connection.destroy();
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      await connection.#news.promise;
      if (connection.#failure !== undefined) throw connection.#failure;
      if (connection.#ended) throw lost();
      return connection;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Whether another request can be made: nothing has come that nobody asked for, not even its end. */
  get isIdle(): boolean {
    return !this.#ended && this.#filled === 0;
  }

  send(text: string): void {
    this.#socket.write(text, "latin1");
  }

  /** What has come, at least a byte; valid until the next call. Undefined when the other side has ended. Throws what broke it. */
  async take(): Promise<Buffer | undefined> {
    while (this.#filled === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return undefined;
      this.#news = Promise.withResolvers();
      await this.#news.promise;
    }
    const came = this.#filling.subarray(0, this.#filled);
    [this.#filling, this.#given] = [this.#given, this.#filling];
    this.#filled = 0;
    this.#socket.resume();
    return came;
  }

  /** Does not keep the process alive while nothing is asked. */
  rest(): void {
    this.#socket.unref();
  }

  /** Is asked something again. */
  wake(): void {
    this.#socket.ref();
  }

  destroy(error?: Error): void {
    this.#failure ??= error ?? lost();
    this.#socket.destroy();
    this.#end();
  }

  /** False pauses. */
  #came(bytes: Uint8Array): boolean {
    const filled = this.#filled + bytes.length;
    if (filled > this.#filling.length) {
      const larger = Buffer.allocUnsafeSlow(2 * filled);
      larger.set(this.#filling.subarray(0, this.#filled));
      this.#filling = larger;
    }
    this.#filling.set(bytes, this.#filled);
    this.#filled = filled;
    this.#news.resolve();
    return filled < READ_AHEAD;
  }

  #end(): void {
    this.#ended = true;
    this.#news.resolve();
  }
}

/** As the kernel would say it. */
export function lost(): Error {
  return Object.assign(new Error("the connection ended too early"), { code: "ECONNRESET" });
}
