import type { Arrival, Room } from "../files/room.ts";

/** What is promised ahead to one upload: how much it comes to is known only when all of it is compressed. */
const AHEAD_BYTES = 64 * 1024 * 1024;
/** Of an image's content, compressed: hardly any comes to less. */
const LEAST_COMPRESSED = 1 / 8;

/** Keeps room on the disk ahead of an upload. */
export class UploadRoom implements Disposable {
  readonly #room: Room;
  readonly #what: string;
  #arrival: Arrival | undefined;

  constructor(room: Room, what: string) {
    this.#room = room;
    this.#what = what;
  }

  /** `exhausted` when there can be no room for this much content, however well it is compressed. */
  async expect(contentBytes: number): Promise<void> {
    (await this.#room.take(contentBytes * LEAST_COMPRESSED, this.#what)).release();
  }

  /** Room for these bytes, and some for those that come after them: no more than `left`. `exhausted` without. */
  async need(bytes: number, left: number): Promise<void> {
    if (this.#arrival === undefined || this.#arrival.missing < bytes) {
      this.#arrival?.release();
      this.#arrival = undefined;
      this.#arrival = await this.#room.take(Math.max(bytes, Math.min(left, AHEAD_BYTES)), this.#what);
    }
    this.#arrival.missing -= bytes;
  }

  [Symbol.dispose](): void {
    this.#arrival?.release();
  }
}
