import { safeText } from "../../proto/values/safe-text.ts";
import { type Terminal, write } from "./terminal.ts";
import { fitText } from "./text-width.ts";

const KEPT_LINES = 20;

/** What a build prints, for people, on stderr: its steps stay, and on a terminal the line it prints now stands below them. */
export class BuildScreen {
  readonly #terminal: Terminal;
  readonly #last: string[] = [];
  #hook = false;
  #script = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** One line of mmdebstrap's. */
  show(line: string): void {
    // It prints the program of each of its hooks, from the first line to the one that ends with its folder.
    if (/^I: running --[a-z]+-hook in shell: /.test(line)) this.#hook = true;
    if (this.#hook) {
      this.#hook = !/' exec \S+$/.test(line);
      return;
    }
    const step = /^I: (?!running special hook|skipping |\/)(.*)/.exec(line)?.[1];
    if (step !== undefined) this.#script = step.startsWith("running the script ");
    this.#last.push(line);
    if (this.#last.length > KEPT_LINES) this.#last.shift();
    if (step !== undefined) this.#print(step);
    else if (this.#script) this.#print(`  ${line}`);
    else this.#passing(line);
  }

  /** The last lines, for whoever looks for the reason of a failure. */
  failed(): void {
    for (const line of this.#last) this.#print(`  | ${line}`);
  }

  /** Takes away the line that stands for the moment. */
  done(): void {
    this.#put(this.#live ? "\r\x1b[K" : "");
  }

  get #live(): boolean {
    return this.#terminal.stderr.isTTY === true && this.#terminal.environment.TERM !== "dumb";
  }

  #print(text: string): void {
    this.#put(`${this.#live ? "\r\x1b[K" : ""}${safeText(text)}\n`);
  }

  #passing(line: string): void {
    if (!this.#live) return;
    const { columns = 80 } = this.#terminal.stderr;
    this.#put(`\r\x1b[K${fitText(safeText(line), columns - 1)}`);
  }

  #put(text: string): void {
    // A build goes on when nobody reads what it prints.
    if (text !== "") void write(this.#terminal.stderr, text).catch(() => undefined);
  }
}
