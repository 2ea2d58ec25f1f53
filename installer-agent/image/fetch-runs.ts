import type { FileRef } from "../link/file-request.ts";
import type { SpanFiles } from "../link/files.ts";
import type { ReadOptions } from "../link/read-span.ts";
import type { Crew } from "./crew.ts";
import { type Fetched, partsOfRun } from "./cut-run.ts";
import type { Run, Wanted } from "./plan-runs.ts";
import { together } from "./together.ts";

/** Ranges read at a time: more than one, so that short ones do not cost a round trip each. */
const AT_ONCE = 2;

export interface FetchRuns<Part extends Wanted> {
  readonly crew: Crew;
  readonly spans: SpanFiles;
  readonly read: ReadOptions;
  readonly fileOf: (run: Run<Part>) => FileRef;
  /** For messages. */
  readonly nameOf: (run: Run<Part>) => string;
  /** Has a part that came written; what it throws ends all. */
  readonly write: (fetched: Fetched<Part>, run: Run<Part>, read: ReadOptions) => Promise<void>;
}

/** Fetches runs and has each part of them written. Reads no further ahead than the threads have room for. */
export async function fetchRuns<Part extends Wanted>(
  runs: readonly Run<Part>[],
  fetching: FetchRuns<Part>,
): Promise<void> {
  const queue = runs.values();
  const reader = async (signal: AbortSignal) => {
    const read = { ...fetching.read, signal };
    for (const run of queue) await fetchRun(run, { ...fetching, read });
  };
  await together(
    fetching.read.signal,
    Array.from({ length: AT_ONCE }, () => reader),
  );
}

async function fetchRun<Part extends Wanted>(run: Run<Part>, fetching: FetchRuns<Part>): Promise<void> {
  const { crew, spans, fileOf, nameOf, write } = fetching;
  const read = { ...fetching.read, what: nameOf(run) };
  const writing = new Set<Promise<void>>();
  let failed: { readonly why: unknown } | undefined;
  for await (const fetched of partsOfRun(run, spans.read(fileOf(run), run, read), crew.rooms)) {
    await crew.room();
    if (failed !== undefined) break;
    const one = write(fetched, run, read)
      .catch((why: unknown) => {
        failed ??= { why };
      })
      .finally(() => writing.delete(one));
    writing.add(one);
  }
  await Promise.all(writing);
  if (failed !== undefined) throw failed.why;
}
