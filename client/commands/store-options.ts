import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { parseDuration } from "../../proto/values/duration.ts";
import type { Call } from "./call.ts";

/** What commands that make images have in common. */
export interface StoreOptions {
  readonly move?: true;
  readonly expires?: string;
  readonly deltaBase?: string;
}

export function withStoreOptions(command: Command): Command {
  return command
    .option("--move", "the name may be another image's: it is moved")
    .option("--expires <duration>", "it may be removed after so long, when nothing uses it: 30d")
    .option("--delta-base <image>", "what hosts run that get it: else the newest other tag of its name");
}

/** So long from now. */
export function expireTimeOf({ terminal }: Call, expires: string | undefined): Timestamp | undefined {
  return expires === undefined ? undefined : timestampFromMs(terminal.now() + parseDuration(expires));
}
