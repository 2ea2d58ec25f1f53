import type { Link } from "./link.ts";
import type { Renewal } from "./renewal.ts";

/** How long the last events may take to be acknowledged when the agent stops. */
const LAST_WORDS = 3_000;

/** Attached and renewing until `stop`; then leaves in order. Throws when the identity is over. */
export async function runAttached(link: Link, renewal: Renewal, stop: AbortSignal): Promise<void> {
  const cut = new AbortController();
  const renewing = renewal.run(AbortSignal.any([stop, cut.signal]));
  const leave = () => void link.leave(LAST_WORDS);
  stop.addEventListener("abort", leave, { once: true });
  if (stop.aborted) leave();
  try {
    await link.run(cut.signal);
  } finally {
    stop.removeEventListener("abort", leave);
    cut.abort();
    await renewing;
  }
}
