import {
  type Installation,
  type Step,
  StepState,
  type WatchInstallationResponse,
} from "../../proto/gen/hps/v1/installation_pb.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { roundSize } from "../../proto/values/size.ts";
import { hostName } from "./host-view.ts";
import { installationStatus, pendingLine, progressText } from "./installation-view.ts";
import { type Colour, paint, type Terminal, write } from "./terminal.ts";
import { fitText } from "./text-width.ts";

const BAR = 20;
const DRAW_MS = 100;

const MARKS: Readonly<Record<number, readonly [string, Colour | undefined]>> = {
  [StepState.PENDING]: [" ", "dim"],
  [StepState.RUNNING]: [">", undefined],
  [StepState.SUCCEEDED]: ["+", "green"],
  [StepState.FAILED]: ["!", "red"],
};

/** An installation's steps on a terminal, drawn anew in their place, at most ten times a second. */
export class StepsScreen implements Disposable {
  readonly #terminal: Terminal;
  readonly #rates = new Map<string, Rate>();
  #installation: Installation | undefined;
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  async show({ installation }: WatchInstallationResponse): Promise<void> {
    if (installation === undefined) return;
    this.#installation = installation;
    for (const step of installation.steps) this.#measure(step);
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

  #measure({ name, done }: Step): void {
    const now = this.#terminal.now();
    const rate = this.#rates.get(name);
    if (rate === undefined) this.#rates.set(name, new Rate(done, now));
    else rate.add(done, now);
  }

  #draw(): void {
    if (this.#installation === undefined) return;
    const { columns = 80, rows = 24 } = this.#terminal.stdout;
    const lines = this.#lines(this.#installation, columns - 1).slice(-(rows - 1));
    const back = this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A\x1b[J`;
    this.#drawn = lines.length;
    void write(this.#terminal.stdout, back + lines.map((line) => `${line}\n`).join("")).catch(() => undefined);
  }

  #lines(installation: Installation, width: number): readonly string[] {
    const { cluster, host, steps, reason, pendingEnrolment } = installation;
    const why = reason === "" ? "" : `: ${reason}`;
    const title = `${hostName({ cluster, name: host })}  ${installationStatus(installation)}${why}`;
    const waiting = pendingEnrolment === undefined ? [] : [pendingLine(pendingEnrolment)];
    const longest = Math.min(20, Math.max(0, ...steps.map(({ name }) => safeText(name).length)));
    const head = [title, ...waiting].map((line) => fitText(safeText(line), width));
    return [...head, ...steps.map((step) => this.#stepLine(step, longest, width))];
  }

  #stepLine(step: Step, longest: number, width: number): string {
    const [mark, colour] = MARKS[step.state] ?? ["?", undefined];
    const name = fitText(safeText(step.name), longest).padEnd(longest);
    const rate = step.state === StepState.RUNNING ? this.#rates.get(step.name)?.text(step.unit) : undefined;
    const parts = [`${mark} ${name}`, bar(step), progressText(step), rate ?? "", step.reason];
    const line = fitText(safeText(parts.filter((part) => part !== "").join("  ")).trimEnd(), width);
    return paint(this.#terminal, this.#terminal.stdout, line, colour);
  }
}

function bar({ done, total, state }: Step): string {
  if (state !== StepState.RUNNING || total <= 0n) return "";
  const share = Math.min(1, Math.max(0, Number(done) / Number(total)));
  const full = Math.round(share * BAR);
  return `[${"#".repeat(full)}${"-".repeat(BAR - full)}] ${Math.floor(share * 100)} %`;
}

/** How fast a count grows, smoothed over some seconds. Times are milliseconds. */
class Rate {
  #done: bigint;
  #at: number;
  #perSecond: number | undefined;

  constructor(done: bigint, at: number) {
    this.#done = done;
    this.#at = at;
  }

  add(done: bigint, at: number): void {
    const seconds = (at - this.#at) / 1000;
    if (seconds < 0.2) return;
    const now = Math.max(0, Number(done - this.#done)) / seconds;
    const weight = Math.min(1, seconds / 3);
    this.#perSecond = this.#perSecond === undefined ? now : this.#perSecond * (1 - weight) + now * weight;
    this.#done = done;
    this.#at = at;
  }

  text(unit: string): string | undefined {
    if (this.#perSecond === undefined || this.#perSecond === 0) return undefined;
    return unit === "bytes" ? `${roundSize(this.#perSecond)}/s` : `${Math.round(this.#perSecond)} ${unit}/s`;
  }
}
