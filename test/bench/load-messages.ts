/** What the measuring process and its load generators tell each other, as JSON over a pipe. */

export interface LoadOrder {
  /** JSON of a Fleet. */
  readonly fleetFile: string;
  readonly port: number;
  readonly target: "hpsd" | "bare";
  /** Which agents of the fleet this generator plays. */
  readonly from: number;
  readonly count: number;
}

export type ToLoad =
  | { readonly kind: "attach"; readonly order: LoadOrder }
  | { readonly kind: "run"; readonly warmUpMs: number; readonly measureMs: number };

export type FromLoad =
  | { readonly kind: "attached"; readonly ms: number }
  | {
      readonly kind: "measured";
      /** From the message's write to its acknowledgement, ms, of all that were sent while measuring. */
      readonly latencies: readonly number[];
      /** How late the generator itself wrote, ms. */
      readonly lags: readonly number[];
      /** Sent while measuring and never acknowledged. */
      readonly lost: number;
    }
  | { readonly kind: "failed"; readonly reason: string };
