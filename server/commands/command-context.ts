import { readFile, stat } from "node:fs/promises";
import { readServerConfig, type ServerConfig } from "../../proto/config/server-config.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type HpsStore, openHpsStore } from "../store/database.ts";

/** What a command has of the world around it; main.ts alone reads the process. */
export interface CommandContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What the command answers. */
  readonly print: (line: string) => void;
  readonly isRoot: boolean;
  /** Asks the person at the terminal; undefined when there is none. */
  readonly ask: ((question: string, options?: { readonly hidden?: boolean }) => Promise<string>) | undefined;
}

/** Flags that every command with a configuration takes. */
export interface ConfigFlags {
  readonly config: string;
  /** `listen.grpc=127.0.0.1:7443`. */
  readonly set: readonly string[];
}

export const DEFAULT_CONFIG = "/etc/hps/hpsd.yaml";

export async function readConfig({ config, set }: ConfigFlags, { environment }: CommandContext): Promise<ServerConfig> {
  const text = await readFile(config, "utf8").catch((cause: unknown) => {
    throw new HpsError("not-found", `cannot read the configuration ${config}`, {
      hint: "name it with --config, or make one with hpsd init",
      cause,
    });
  });
  return readServerConfig({ text, file: config, environment, sets: set });
}

/** The store of an hpsd that was made before: none is made here. `precondition` when there is none. */
export async function openExistingStore(config: Pick<ServerConfig, "state">): Promise<HpsStore> {
  const file = storeFile(config);
  const found = await stat(file).catch(() => undefined);
  if (found !== undefined) return await openHpsStore(file);
  throw new HpsError("precondition", `there is no hpsd in ${config.state}`, { hint: "run hpsd init, or hpsd restore" });
}

/** The one file of the store in hpsd's folder. */
export function storeFile(config: Pick<ServerConfig, "state">): string {
  return `${config.state}/hpsd.db`;
}
