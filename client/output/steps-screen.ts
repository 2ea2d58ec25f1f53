import type { Installation } from "../../proto/gen/hps/v1/installation_pb.ts";
import { detailLines, overviewLines, type RateOf, rowsOf, type ScreenLine } from "./installation-lines.ts";
import { Rate } from "./rate.ts";
import { paint, type Terminal, write } from "./terminal.ts";

const DRAW_MS = 100;

/** Installations on a terminal, drawn anew in their place, at most ten times a second: one with all its steps, several a line each. */
export class StepsScreen implements Disposable {
  readonly #terminal: Terminal;
  readonly #rates = new Map<string, Rate>();
  readonly #installations = new Map<string, Installation>();
  readonly #order: readonly string[];
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Shows the installations of these ids, in this order. */
  constructor(terminal: Terminal, order: readonly string[]) {
    this.#terminal = terminal;
    this.#order = order;
  }

  show(installation: Installation): void {
    this.#installations.set(installation.id, installation);
    for (const { name, done } of installation.steps) this.#measure(`${installation.id} ${name}`, done);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, DRAW_MS);
  }

  /** The last state stays on the screen. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#draw();
  }

  #measure(key: string, done: bigint): void {
    const now = this.#terminal.now();
    const rate = this.#rates.get(key);
    if (rate === undefined) this.#rates.set(key, new Rate(done, now));
    else rate.add(done, now);
  }

  #draw(): void {
    if (this.#installations.size === 0) return;
    const { columns = 80, rows = 24 } = this.#terminal.stdout;
    const lines = lastRows(this.#lines(columns - 1, rows - 1), rows - 1);
    // A key that the terminal showed, `^C`, has moved the cursor along its line.
    const back = this.#drawn === 0 ? "" : `\r\x1b[${this.#drawn}A\x1b[J`;
    this.#drawn = rowsOf(lines);
    const text = lines.map((line) => `${paint(this.#terminal, this.#terminal.stdout, line.text, line.colour)}\n`);
    void write(this.#terminal.stdout, back + text.join("")).catch(() => undefined);
  }

  #lines(width: number, rows: number): readonly ScreenLine[] {
    const known = this.#order.flatMap((id) => this.#installations.get(id) ?? []);
    const rateOf: RateOf = ({ id }, step) => this.#rates.get(`${id} ${step}`);
    const [only] = known;
    if (this.#order.length === 1 && only !== undefined) return detailLines(only, rateOf, width);
    return overviewLines(known, rateOf, { width, rows });
  }
}

/** What fits, from below: what goes on stands there. */
function lastRows(lines: readonly ScreenLine[], most: number): readonly ScreenLine[] {
  const first = lines.findIndex((_, index) => rowsOf(lines.slice(index)) <= most);
  return first < 0 ? [] : lines.slice(first);
}
