import {
  clientConfigPath,
  readClientConfig,
  selectContext,
  withContext,
  writeClientConfig,
} from "../../proto/config/client-config.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseObjectName } from "../../proto/values/object-name.ts";
import { connectTo } from "../sdk/connect.ts";
import { readProfile } from "../sdk/profile.ts";
import type { Call } from "./call.ts";
import { collect } from "./collect.ts";

/** Makes a context that is about no cluster be about the one its operator sees, when that is the only one. Gives the context's cluster. */
export async function learnCluster(call: Call, context: string): Promise<string | undefined> {
  const path = clientConfigPath(call.terminal.environment);
  const config = await readClientConfig(path);
  const found = selectContext(config, context, {});
  if (found.cluster !== undefined) return found.cluster;
  const [only, ...others] = await visibleClusters(call, context);
  if (only === undefined || others.length > 0) return undefined;
  const cluster = parseObjectName(only, "cluster name");
  await writeClientConfig(path, withContext(config, { ...found, cluster }));
  return cluster;
}

/** None when hpsd cannot be asked now: nothing depends on it. */
async function visibleClusters(call: Call, context: string): Promise<readonly string[]> {
  try {
    using hps = connectTo(await readProfile({ environment: call.terminal.environment, context }));
    return (await collect(hps.listClusters(call.once))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof HpsError) return [];
    throw error;
  }
}
