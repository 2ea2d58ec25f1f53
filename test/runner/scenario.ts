import { test } from "vitest";
import { FAULTS, type FaultKey } from "./faults.ts";

declare module "vitest" {
  interface TaskMeta {
    /** The row of docs/fault-matrix.md that this test proves. */
    fault?: FaultKey;
  }
}

/** From power-on of an empty machine to its host agent takes minutes without KVM, on a machine that does other things many. */
const PATIENCE_MS = 90 * 60_000;

/** A test that is a row of docs/fault-matrix.md. */
export function scenario(key: FaultKey, prove: () => Promise<void>): void {
  const { done, holds } = FAULTS[key];
  test(`${done}: ${holds}`, { timeout: PATIENCE_MS }, async ({ task }) => {
    task.meta.fault = key;
    await prove();
  });
}
