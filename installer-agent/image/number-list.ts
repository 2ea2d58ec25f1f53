/** Numbers of 32 bits, one after the other, in as little memory as they take. */
export class NumberList {
  #numbers = new Uint32Array(1024);
  length = 0;

  push(number: number): void {
    if (this.length === this.#numbers.length) {
      const larger = new Uint32Array(2 * this.length);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.length] = number;
    this.length += 1;
  }

  /** All of them; the list is empty then. */
  taken(): Uint32Array {
    const all = this.#numbers.slice(0, this.length);
    this.#numbers = new Uint32Array(1024);
    this.length = 0;
    return all;
  }
}
