import { sharedNumbers } from "../../proto/image/manifest-view.ts";

const FIRST = 1024;

/** Numbers of 32 bits, one after the other, in as little memory as they take. */
export class NumberList {
  #numbers = sharedNumbers(FIRST);
  length = 0;

  push(number: number): void {
    if (this.length === this.#numbers.length) {
      const larger = sharedNumbers(2 * this.length);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.length] = number;
    this.length += 1;
  }

  /** All of them, in memory that threads have in common; the list is empty then. */
  taken(): Uint32Array<SharedArrayBuffer> {
    const all = this.#numbers.subarray(0, this.length);
    this.#numbers = sharedNumbers(FIRST);
    this.length = 0;
    return all;
  }
}
