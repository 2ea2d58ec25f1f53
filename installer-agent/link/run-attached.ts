import { HpsError } from "../../proto/values/hps-error.ts";
import type { Link } from "./link.ts";
import type { Renewal } from "./renewal.ts";
import type { Shells } from "./shells.ts";

/** How long the last events may take to be acknowledged when the agent stops. */
const LAST_WORDS = 3_000;

interface Attachment {
  readonly link: Link;
  readonly renewal: Renewal;
  readonly shells?: Shells | undefined;
  /** The way in while hpsd is away: it ends with the agent. */
  readonly direct?: { readonly stop: () => Promise<void> };
}

/** Attached and renewing until `stop`; then ends the shells and leaves in order. Throws when the identity is over. */
export async function runAttached({ link, renewal, shells, direct }: Attachment, stop: AbortSignal): Promise<void> {
  const cut = new AbortController();
  const renewing = renewal.run(AbortSignal.any([stop, cut.signal]));
  const leave = () => void leaveInOrder(link, shells, stop.reason);
  stop.addEventListener("abort", leave, { once: true });
  if (stop.aborted) leave();
  try {
    await link.run(cut.signal);
  } finally {
    stop.removeEventListener("abort", leave);
    cut.abort();
    await renewing;
    await shells?.close();
    await direct?.stop();
  }
}

async function leaveInOrder(link: Link, shells: Shells | undefined, why: unknown): Promise<void> {
  await shells?.close(why instanceof HpsError ? why.message : undefined);
  await link.leave(LAST_WORDS);
}
