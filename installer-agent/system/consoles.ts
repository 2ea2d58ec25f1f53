import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { readSysfsText } from "./sysfs.ts";

const { O_WRONLY, O_NOCTTY, O_NONBLOCK } = constants;
const LIMIT = 65_536;
const AGAIN_MS = 50;

/** Writes to every console the kernel uses. A console that does not take it, a serial line held by flow control, loses lines and holds up nothing. */
export class Consoles {
  readonly #consoles: readonly Console[];

  private constructor(consoles: readonly Console[]) {
    this.#consoles = consoles;
  }

  static async open(sys = "/sys", dev = "/dev"): Promise<Consoles> {
    const names = (await readSysfsText(join(sys, "class/tty/console/active"))) ?? "";
    const wanted = names.split(" ").filter((name) => /^[A-Za-z0-9]{1,32}$/.test(name));
    return new Consoles((wanted.length > 0 ? wanted : ["console"]).map((name) => new Console(join(dev, name))));
  }

  /** Text that ends with a line end. */
  write(text: string): void {
    for (const one of this.#consoles) one.write(text);
  }
}

class Console {
  readonly #path: string;
  #file: number | undefined;
  #waiting = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  write(text: string): void {
    const bytes = Buffer.from(text);
    if (this.#waiting.length + bytes.length > LIMIT) return;
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
    if (this.#timer === undefined) this.#flush();
  }

  #flush(): void {
    this.#timer = undefined;
    try {
      this.#file ??= openSync(this.#path, O_WRONLY | O_NOCTTY | O_NONBLOCK);
      while (this.#waiting.length > 0) this.#waiting = this.#waiting.subarray(writeSync(this.#file, this.#waiting));
    } catch (error) {
      const isFull = error instanceof Error && "code" in error && error.code === "EAGAIN";
      if (isFull) this.#timer = setTimeout(() => this.#flush(), AGAIN_MS);
      else this.#giveUp();
    }
  }

  /** The device is gone or not there yet; what comes later tries anew. */
  #giveUp(): void {
    this.#waiting = Buffer.alloc(0);
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}
