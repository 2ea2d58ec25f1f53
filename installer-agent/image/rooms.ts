import { LARGEST_OBJECT } from "../../proto/image/limits.ts";
import { mostCompressed } from "../../proto/image/zstd-frame-content.ts";

const ROOM = mostCompressed(LARGEST_OBJECT);

/**
 * Memory for what is fetched, each piece large enough for any frame. It goes to a thread with its content and comes back
 * without: memory that is new each time costs a page fault for each 4 kB and drives the collector of garbage.
 */
export class Rooms {
  readonly #free: ArrayBuffer[] = [];

  /** Room for `length` bytes, whose memory may be given away. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const room = this.#free.pop() ?? new ArrayBuffer(Math.max(ROOM, length));
    return new Uint8Array(room, 0, length);
  }

  give(room: ArrayBuffer): void {
    if (room.byteLength === ROOM) this.#free.push(room);
  }
}
