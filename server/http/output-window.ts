import { HpsError } from "../../proto/values/hps-error.ts";

/** Above this much that the page has not shown nothing more is sent; below the lower mark it goes on. */
const HIGH = 256 * 1024;
const LOW = 64 * 1024;

/**
 * How far hpsd may be ahead of what the page has shown. It bounds all at once: the socket's buffer here, what is on its
 * way, and what the browser has received and not drawn.
 */
export class OutputWindow {
  #sent = 0;
  #shown = 0;
  #isFull = false;
  #isClosed = false;
  #wake: (() => void) | undefined;

  /** Bytes that were sent and are not shown. */
  get ahead(): number {
    return this.#sent - this.#shown;
  }

  /** Resolves when there is room for a piece; false when there will be none. One at a time. */
  async room(): Promise<boolean> {
    while (this.#isFull && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return !this.#isClosed;
  }

  sent(bytes: number): void {
    this.#sent += bytes;
    if (this.ahead >= HIGH) this.#isFull = true;
  }

  /** `bytes` is of all output. `invalid` for more than was sent, or less than before. */
  shown(bytes: number): void {
    if (bytes < this.#shown || bytes > this.#sent) {
      throw new HpsError("invalid", "the page acknowledges output that it was not sent");
    }
    this.#shown = bytes;
    if (this.ahead <= LOW) this.#isFull = false;
    this.#wake?.();
  }

  /** There will be no more room. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }
}
