import type { Command } from "commander";

/** What commands that make images have in common. */
export interface StoreOptions {
  readonly move?: true;
  readonly expires?: string;
}

export function withStoreOptions(command: Command): Command {
  return command
    .option("--move", "the name may be another image's: it is moved")
    .option("--expires <duration>", "it may be removed after so long, when nothing uses it: 30d");
}
