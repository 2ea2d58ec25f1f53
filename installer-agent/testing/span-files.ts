import { HpsError } from "../../proto/values/hps-error.ts";
import type { SpanFiles } from "../link/files.ts";

/** Files in memory, as hpsd would give them; `asks` are the spans that were asked for. */
export function memorySpans(contents: ReadonlyMap<string, Buffer>, chunk = 64 * 1024) {
  const asks: { readonly digest: string; readonly from: number; readonly to: number }[] = [];
  const spans: SpanFiles = {
    hpsd: 0,
    async *read({ digest }, { from, to }, { signal }) {
      asks.push({ digest, from, to });
      const content = contents.get(digest);
      if (content === undefined) throw new HpsError("not-found", "there is nothing at this address");
      for (let at = from; at < to; at += chunk) {
        signal.throwIfAborted();
        yield { bytes: content.subarray(at, Math.min(at + chunk, to)), origin: 0 };
      }
    },
    distrust: () => undefined,
    close: () => undefined,
  };
  return { spans, asks, bytes: () => asks.reduce((sum, { from, to }) => sum + to - from, 0) };
}
