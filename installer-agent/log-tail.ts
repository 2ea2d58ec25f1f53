import { BEACON_LOG_BYTES } from "../proto/config/beacon.ts";

/** The end of a log, no longer than a beacon carries. */
export class LogTail {
  #lines: string[] = [];
  #length = 0;

  /** A line with its line end. */
  push(line: string): void {
    this.#lines.push(line);
    this.#length += line.length;
    while (this.#length > BEACON_LOG_BYTES && this.#lines.length > 1) this.#length -= this.#lines.shift()?.length ?? 0;
  }

  get text(): string {
    return this.#lines.join("");
  }
}
