import { ERROR_TABLE, HpsError } from "../../proto/values/hps-error.ts";
import { note, printList, printOne, type View } from "../output/print.ts";
import { printError } from "../output/print-error.ts";
import type { Call } from "./call.ts";
import { chooseHosts, type HostChoice } from "./host-choice.ts";

/** Calls on their way at one time. */
const AT_ONCE = 16;

/** What came of one host. */
export interface Done<Result> {
  readonly host: string;
  readonly result?: Result;
  readonly error?: HpsError;
}

/**
 * Does one thing to each host of the operands, or of `choice`: what came of it is printed in their order, failures and a summary go to stderr, the
 * highest exit code of all is the command's. For a single host its failure is the command's own.
 */
export async function eachHost<Result>(
  call: Call,
  act: (host: string) => Promise<Result>,
  view: View<Result> | undefined,
  choice?: HostChoice,
): Promise<number> {
  const { references, many } = choice ?? (await chooseHosts(call));
  const [only = ""] = references;
  if (!many) {
    const result = await act(only);
    if (view === undefined) await note(call.terminal, `${only}: done`);
    else await printOne(call, view, result);
    return 0;
  }
  const done = await doEach(
    call,
    references.map((host) => ({ name: host, item: host })),
    act,
  );
  if (view !== undefined) await printList(call, view, resultsOf(done));
  return reportFailures(call, done);
}

/** What came of those that went well. */
export function resultsOf<Result>(done: readonly Done<Result>[]): readonly Result[] {
  return done.flatMap(({ error, result }) => (error === undefined && result !== undefined ? [result] : []));
}

/** A host as messages call it, and what is known of it. */
export interface Named<Item> {
  readonly name: string;
  readonly item: Item;
}

/** Does `act` to every host, some at a time; a failure of one stops no other. */
export async function doEach<Item, Result>(
  call: Call,
  hosts: readonly Named<Item>[],
  act: (item: Item) => Promise<Result>,
): Promise<Done<Result>[]> {
  const done: Done<Result>[] = [];
  const queue = hosts.entries();
  const worker = async () => {
    for (const [index, host] of queue) {
      done[index] = await attempt(call, host, act);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, hosts.length) }, worker));
  return done;
}

/** An interrupt ends the whole command. */
async function attempt<Item, Result>(
  call: Call,
  { name, item }: Named<Item>,
  act: (item: Item) => Promise<Result>,
): Promise<Done<Result>> {
  try {
    return { host: name, result: await act(item) };
  } catch (error) {
    if (!(error instanceof HpsError) || call.terminal.signal.aborted) throw error;
    return { host: name, error };
  }
}

/** Prints the failures and how many there are; gives the highest exit code. */
export async function reportFailures(call: Call, done: readonly Done<unknown>[]): Promise<number> {
  let worst = 0;
  let failed = 0;
  let hint = "";
  for (const { host, error } of done) {
    if (error === undefined) continue;
    failed += 1;
    worst = Math.max(worst, ERROR_TABLE[error.code].exit);
    await printError(call.terminal, error, { about: host, hinted: error.hint === hint });
    hint = error.hint;
  }
  await note(call.terminal, `${done.length - failed} done, ${failed} failed`);
  return worst;
}
