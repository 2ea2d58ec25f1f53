/**
 * One call on the server, below its shape: messages in, messages out, one status. On the wire a unary call is a stream of
 * one, so this is all four kinds. It stands on grpc-js's call (through an interceptor), not on its Duplex: one message is
 * read or written at a time, nothing is buffered, and no error of ours can become a status by accident.
 */
import { constants } from "node:http2";
import { Metadata, type ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { type ErrorCode, HpsError } from "../values/hps-error.ts";
import { streamOf, writeFrame } from "./http2-stream.ts";
import { OK_STATUS, statusOfError } from "./status.ts";
import type { Frame } from "./wire.ts";

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

export interface ServerCallOptions {
  /** Called once, when the status is decided. */
  readonly onEnd: (code: ErrorCode | "ok") => void;
  /** How long an ended call may wait for a peer that does not read, before its stream is reset. */
  readonly flushMs: number;
}

export class ServerCall {
  readonly #call: ServerInterceptingCallInterface;
  readonly #abort = new AbortController();
  readonly #options: ServerCallOptions;
  #timer: NodeJS.Timeout | undefined;
  #reader: Waiter<Buffer | undefined> | undefined;
  #writer: Waiter<void> | undefined;
  #halfClosed = false;
  #begun = false;
  #done = false;

  constructor(call: ServerInterceptingCallInterface, options: ServerCallOptions) {
    this.#call = call;
    this.#options = options;
  }

  /** Begins the call; `onMetadata` may read and write at once. */
  start(onMetadata: (metadata: Metadata) => void): void {
    this.#call.start({
      onReceiveMetadata: (metadata) => {
        this.#watchDeadline();
        onMetadata(metadata);
      },
      onReceiveMessage: (message: Buffer) => this.#received(message),
      onReceiveHalfClose: () => {
        this.#halfClosed = true;
        this.#received(undefined);
      },
      onCancel: () => this.#gone(),
    });
  }

  /** Aborted, with the HpsError that ended it, when the call ends by anything but its own answer. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get done(): boolean {
    return this.#done;
  }

  get deadline(): Date | undefined {
    const deadline = this.#call.getDeadline();
    return deadline === Number.POSITIVE_INFINITY ? undefined : new Date(deadline);
  }

  /** The next message, or undefined after the last. One at a time. Rejects with what ended the call. */
  read(): Promise<Buffer | undefined> {
    if (this.#done) {
      return Promise.reject(this.signal.reason ?? new HpsError("cancelled", "the call is over"));
    }
    if (this.#halfClosed) {
      return Promise.resolve(undefined);
    }
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#call.startRead();
    });
  }

  /**
   * Resolves when the transport took the message, which a slow peer delays. One at a time. Rejects as `read` does. Past
   * grpc-js, which would copy each message into a frame of its own.
   */
  write(frame: Frame): Promise<void> {
    if (this.#done) {
      return Promise.reject(this.signal.reason ?? new HpsError("cancelled", "the call is over"));
    }
    if (!this.#begun) {
      this.#begun = true;
      this.#call.sendMetadata(new Metadata());
    }
    return new Promise((resolve, reject) => {
      this.#writer = { resolve, reject };
      writeFrame(streamOf(this.#call), frame, () => {
        this.#writer = undefined;
        resolve();
      });
    });
  }

  /** Answers: all went well. */
  complete(): void {
    if (this.#settle("ok")) {
      this.#call.sendStatus(OK_STATUS);
      this.#resetUnlessFlushed();
    }
  }

  /** Ends the call with this status, now. The first end counts, later ones do nothing. */
  end(error: HpsError): void {
    if (this.#settle(error.code, error)) {
      this.#call.sendStatus(statusOfError(error));
      this.#resetUnlessFlushed();
    }
  }

  #received(message: Buffer | undefined): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.resolve(message);
  }

  /** The stream is closed, or grpc-js sent a status of its own. */
  #gone(): void {
    const late = Date.now() >= Number(this.#call.getDeadline());
    const error = late
      ? new HpsError("deadline", "the call's deadline has passed")
      : new HpsError("cancelled", "the peer cancelled the call");
    this.#settle(error.code, error);
  }

  /** grpc-js tells us of a passed deadline only once its status is flushed, which a peer that does not read prevents. */
  #watchDeadline(): void {
    const left = Number(this.#call.getDeadline()) - Date.now();
    if (left < 2 ** 31) {
      this.#timer = setTimeout(() => this.end(new HpsError("deadline", "the call's deadline has passed")), left);
    }
  }

  #settle(code: ErrorCode | "ok", error?: HpsError): boolean {
    if (this.#done) {
      return false;
    }
    this.#done = true;
    clearTimeout(this.#timer);
    if (error !== undefined) {
      this.#abort.abort(error);
    }
    if (this.#reader !== undefined || this.#writer !== undefined) {
      const reason = error ?? new HpsError("cancelled", "the call is over");
      this.#reader?.reject(reason);
      this.#writer?.reject(reason);
    }
    this.#options.onEnd(code);
    return true;
  }

  /** A peer that neither reads its status nor stops sending would keep the stream for ever. */
  #resetUnlessFlushed(): void {
    const stream = streamOf(this.#call);
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), this.#options.flushMs);
    timer.unref();
    stream.once("close", () => clearTimeout(timer));
  }
}
