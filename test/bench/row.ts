/** One number of a benchmark, beside the same number of a program people know, measured in the same run. */
export interface Row {
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  /** The program compared with; null where nothing compares. */
  readonly peer: string | null;
  readonly peerValue: number | null;
  /** `value / peerValue`. */
  readonly ratio: number | null;
  /** What DESIGN allows: at most, in the same unit; null where nothing is promised. */
  readonly budget: number | null;
  readonly met: boolean | null;
}

export interface RowOptions {
  readonly peer?: { readonly name: string; readonly value: number };
  readonly budget?: number;
}

/** Rounds to three significant digits, so that a table says no more than was measured. */
export function row(metric: string, value: number, unit: string, { peer, budget }: RowOptions = {}): Row {
  return {
    ...{ metric, value: rounded(value), unit },
    peer: peer?.name ?? null,
    peerValue: peer === undefined ? null : rounded(peer.value),
    ratio: peer === undefined ? null : rounded(value / peer.value),
    budget: budget ?? null,
    met: budget === undefined ? null : value <= budget,
  };
}

function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** What a benchmark gives. */
export interface Measured {
  readonly rows: readonly Row[];
  /** What limits each number, and what else a reader has to know; one sentence each. */
  readonly notes: readonly string[];
}
