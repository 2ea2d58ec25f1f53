import { HpsError } from "../../values/hps-error.ts";

export function errorOf(action: () => unknown): HpsError;
export function errorOf(action: () => unknown, orNone: "or none"): HpsError | undefined;
/** The `HpsError` that `action` throws; anything else it throws is a bug, and passes. */
export function errorOf(action: () => unknown, orNone?: "or none"): HpsError | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof HpsError) return error;
    throw error;
  }
  if (orNone !== undefined) return undefined;
  throw new Error("nothing was thrown");
}
