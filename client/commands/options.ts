/** Options that several commands have, each spelled once. */
import { type Command, Option } from "commander";

/** For an option that may be given again: all its values in order. */
export function each(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

export interface WatchOption {
  readonly watch?: true;
}

export function withWatch(command: Command): Command {
  return command.option("-w, --watch", "go on and print what changes");
}

export function withAllClusters(command: Command): Command {
  return command.option("-A, --all-clusters", "of all clusters, also when one is chosen");
}

export function withYes(command: Command): Command {
  return command.option("-y, --yes", "do not ask");
}

/** A choice among an enum's words. */
export function choice(flags: string, description: string, words: readonly string[]): Option {
  return new Option(flags, description).choices(words);
}
