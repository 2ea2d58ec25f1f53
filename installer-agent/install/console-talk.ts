import type { Standing } from "./situation.ts";

/** How often progress is told, and what an operator has to act on is told again. */
const PROGRESS_MS = 10_000;
const AGAIN_MS = 60_000;

/**
 * What a person at the machine's screen or serial line is told, in plain lines: each thing when it changes, progress now and then, and
 * what waits for an operator again and again, for someone who comes later.
 */
export class ConsoleTalk {
  #last: Standing | undefined;
  #progressAt = Number.NEGATIVE_INFINITY;
  #askedAt = Number.NEGATIVE_INFINITY;

  /** The lines to write now; `now` is milliseconds of any clock that does not jump. */
  lines(standing: Standing, now: number): readonly string[] {
    const last = this.#last;
    this.#last = standing;
    const changed = (name: keyof Standing) => standing[name] !== (last?.[name] ?? "");
    return [
      ...(changed("machine") ? [`this machine is ${standing.machine}`] : []),
      ...(changed("server") ? [`hpsd is ${standing.server}`] : []),
      ...(changed("host") && standing.host !== "" ? [`it is to be ${standing.host}`] : []),
      ...(changed("doing") && standing.doing !== "start" ? [stepLine(standing)] : []),
      ...this.#progress(standing, now),
      ...this.#asking(standing, now, changed("fingerprint") || changed("problem") || changed("stopped")),
    ];
  }

  #progress({ doing, progress }: Standing, now: number): readonly string[] {
    if (progress === undefined || progress.total <= 0 || now - this.#progressAt < PROGRESS_MS) return [];
    this.#progressAt = now;
    const percent = Math.min(Math.floor((progress.done * 100) / progress.total), 100);
    return [`${doing}: ${percent} % of ${amount(progress.total, progress.unit)}`];
  }

  #asking(standing: Standing, now: number, isNew: boolean): readonly string[] {
    const lines = askingLines(standing);
    if (lines.length === 0 || !(isNew || now - this.#askedAt >= AGAIN_MS)) return [];
    this.#askedAt = now;
    return lines;
  }
}

function stepLine({ doing, steps }: Standing): string {
  const at = steps.indexOf(doing);
  return at === -1 ? doing : `step ${doing} (${at + 1} of ${steps.length})`;
}

/** What someone has to do, or why it takes so long. */
function askingLines({ fingerprint, stopped, problem, doing, host }: Standing): readonly string[] {
  if (fingerprint !== "") {
    return [
      `waiting for approval; the fingerprint of this machine is ${fingerprint}`,
      `compare it with what hpsd shows, then: hpsctl host approve ${host || "HOST"} --fingerprint ${fingerprint}`,
    ];
  }
  if (problem === "") return [];
  if (!stopped) return [`${doing}: ${problem}`];
  return [
    `STOPPED in step ${doing}: ${problem}`,
    `to go on: hpsctl installation retry ${host || "HOST"}; to give up: hpsctl installation cancel ${host || "HOST"}`,
  ];
}

function amount(total: number, unit: string): string {
  return unit === "bytes" ? `${Math.round(total / 2 ** 20)} MiB` : `${total} ${unit}`;
}
