import { HpsError } from "../../values/hps-error.ts";

/** What it is refused with; any other error passes. */
export function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HpsError) return error.message;
    throw error;
  }
  return "accepted";
}
