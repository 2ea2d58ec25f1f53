/** One call on the client, below its shape: the mirror of ServerCall. */
import { type Metadata, status as Status, type StatusObject } from "@grpc/grpc-js";
import { HpsError } from "../values/hps-error.ts";
import type { Channel } from "./channel.ts";
import { type Frame, PREFIX_BYTES } from "./wire.ts";

interface Waiter {
  readonly resolve: (message: Buffer | undefined) => void;
  readonly reject: (reason: HpsError) => void;
}

export interface ClientCallOptions {
  readonly path: string;
  /** Absent: none. */
  readonly deadline?: Date;
  readonly metadata: Metadata;
  /** Called once, when the status is there. */
  readonly onEnd: () => void;
  readonly errorOf: (status: StatusObject) => HpsError;
}

export class ClientCall {
  readonly #call: ReturnType<Channel["grpc"]["createCall"]>;
  readonly #errorOf: (status: StatusObject) => HpsError;
  readonly #onEnd: () => void;
  #reader: Waiter | undefined;
  #writer: (() => void) | undefined;
  #status: StatusObject | undefined;

  constructor(channel: Channel, options: ClientCallOptions) {
    this.#errorOf = options.errorOf;
    this.#onEnd = () => {
      channel.calls.delete(this);
      options.onEnd();
    };
    const deadline = options.deadline ?? Number.POSITIVE_INFINITY;
    this.#call = createCall(channel, options.path, deadline);
    channel.calls.add(this);
    this.#call.start(options.metadata, {
      onReceiveMetadata: () => undefined,
      onReceiveMessage: (message: Buffer) => this.#received(message),
      onReceiveStatus: (status) => this.#finished(status),
    });
  }

  get done(): boolean {
    return this.#status !== undefined;
  }

  /** The next message, or undefined after the last. One at a time. Rejects when the status is an error. */
  read(): Promise<Buffer | undefined> {
    if (this.#status !== undefined) {
      return this.#outcome(this.#status);
    }
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#call.startRead();
    });
  }

  /** Resolves when the transport took the message, or when the call has ended and nobody wants it. */
  async write(frame: Frame): Promise<void> {
    if (!this.done) {
      await new Promise<void>((resolve) => {
        this.#writer = resolve;
        this.#call.sendMessageWithContext({ callback: () => resolve() }, unframed(frame));
      });
    }
  }

  /** No more messages from here. */
  halfClose(): void {
    if (!this.done) {
      this.#call.halfClose();
    }
  }

  /** Tells the server at once; does nothing when the call has ended. */
  cancel(): void {
    if (!this.done) {
      this.#call.cancelWithStatus(Status.CANCELLED, "cancelled by the caller");
    }
  }

  #received(message: Buffer): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.resolve(message);
  }

  #finished(status: StatusObject): void {
    this.#status = status;
    this.#writer?.();
    this.#onEnd();
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader !== undefined) {
      this.#outcome(status).then(reader.resolve, reader.reject);
    }
  }

  async #outcome(status: StatusObject): Promise<undefined> {
    if (status.code !== Status.OK) {
      throw this.#errorOf(status);
    }
  }
}

function createCall(channel: Channel, path: string, deadline: Date | number) {
  try {
    return channel.grpc.createCall(path, deadline, null, null, null);
  } catch (cause) {
    throw new HpsError("unavailable", `the channel to ${channel.address} is closed`, { cause });
  }
}

/** grpc-js makes a frame of its own of every message: it asks for its length, and lets it copy itself to its place. */
function unframed([head, bulk]: Frame): Buffer {
  const bare = head.subarray(PREFIX_BYTES);
  if (bulk === undefined) return bare;
  const message: Pick<Buffer, "length"> & { readonly copy: (target: Buffer, at: number) => void } = {
    length: bare.length + bulk.length,
    copy: (target, at) => {
      target.set(bare, at);
      target.set(bulk, at + bare.length);
    },
  };
  // Wire boundary: it is all that grpc-js needs of a Buffer.
  return message as Buffer;
}
