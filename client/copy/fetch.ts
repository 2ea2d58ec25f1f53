import type { Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { CopyDirection } from "../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { ProgressBar } from "../output/progress-bar.ts";
import { Arrival, type ArrivalPlace } from "./arrival.ts";
import { type CopyCall, openCopy } from "./copy-call.ts";
import { type CopyEnd, checkEnd, copySession } from "./copy-session.ts";
import { type CopyOrder, lastName, parentOf, type RemotePath } from "./operand.ts";
import { NEEDS_RECURSION, sendCommand } from "./remote-script.ts";

type FetchOrder = Extract<CopyOrder, { readonly to: "here" }>;

const MILLION = 1_000_000n;

/** Copies files and folders from hosts to here, a session each. */
export async function fetchCopies(copy: CopyCall, { sources, path: to }: FetchOrder): Promise<void> {
  const found = await stat(to).catch(() => undefined);
  if (sources.length > 1 && found?.isDirectory() !== true) {
    throw new HpsError("precondition", `${quote(to)} is no folder, and only a folder can take several`);
  }
  for (const source of sources) await fetchCopy(copy, source, placeFor(source, to, found));
}

interface LocalPlace extends ArrivalPlace {
  /** A file is there already: a folder cannot come. */
  readonly taken: boolean;
}

function placeFor(source: RemotePath, to: string, found: Stats | undefined): LocalPlace {
  if (found?.isDirectory()) return { folder: to, name: lastName(source.path), taken: false };
  if (found !== undefined && !found.isFile()) {
    throw new HpsError("precondition", `${quote(to)} is neither a file nor a folder`, {
      hint: "to write into a device: hpsctl installer-shell HOST -- cat FILE > DEVICE",
    });
  }
  return { folder: parentOf(to), name: lastName(to), taken: found !== undefined };
}

async function fetchCopy(copy: CopyCall, { host, path: from }: RemotePath, place: LocalPlace): Promise<void> {
  const { terminal } = copy.call;
  const where = `${host}:${from}`;
  const recursive = copy.recursive && !place.taken;
  using bar = new ProgressBar(terminal, `receiving ${where}`, 0);
  const onBytes = (count: number) => bar.add(count);
  using arrival = new Arrival(place, {
    ...{ recursive, exact: copy.exact, onBytes },
    now: BigInt(terminal.now()) * MILLION,
  });
  const command = sendCommand(from, parentOf(from), lastName(from), recursive);
  using connection = await openCopy(copy, host, command, CopyDirection.FROM_HOST);
  const end = await copySession(connection, (bytes) => arrival.take(bytes));
  checkTaken(end, copy, place, where);
  if (isGood(end)) arrival.finish();
  else if (arrival.settle() && end.exit.reason === "") saidOf(end, where).forEach(copy.onProblem);
  else checkEnd(end, where);
  if (arrival.skipped > 0) copy.onProblem(`${arrival.skipped} devices or pipes below ${where} were left out`);
}

function isGood({ exit }: CopyEnd): boolean {
  return exit.code === 0 && exit.reason === "";
}

/** The archive is whole, and yet: a file changed while it was read, or could not be. */
function saidOf({ exit, said }: CopyEnd, where: string): string[] {
  const lines = said.split("\n").filter((line) => line !== "");
  return [...lines, `${where} is here, but the host's tar ended with ${exit.code}`];
}

function checkTaken({ exit }: CopyEnd, { recursive }: CopyCall, { taken, name }: LocalPlace, where: string): void {
  if (!taken || !recursive || exit.code !== NEEDS_RECURSION) return;
  throw new HpsError("exists", `${where} is a folder, and a file is in its place here: ${quote(name)}`);
}
