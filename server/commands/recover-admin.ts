import { publicAddresses } from "../../proto/config/server-config.ts";
import { parseObjectName } from "../../proto/values/object-name.ts";
import { openIdentity } from "../core/identity/open-identity.ts";
import { DEFAULT_VALIDITY_MS } from "../core/identity/operators.ts";
import { type CommandContext, type ConfigFlags, openExistingStore, readConfig } from "./command-context.ts";

const WHO = { actor: "hpsd", action: "recover-admin", address: "" };

/** An invitation for an admin of everything, from whoever may read hpsd's folder. hpsd must be stopped: the store's lock says so. */
export async function recoverAdmin(name: string, flags: ConfigFlags, context: CommandContext): Promise<void> {
  const config = await readConfig(flags, context);
  const store = await openExistingStore(config);
  try {
    const { operators } = await openIdentity({ store, stateFolder: config.state, clock: Date.now });
    const operator = parseObjectName(name, "operator name");
    const { token } = await operators.recoverAdmin(WHO, operator, DEFAULT_VALIDITY_MS);
    context.print(`${operator} is an admin of everything. Start hpsd, then:`);
    context.print(`hpsctl login ${publicAddresses(config).https} --token -`);
    context.print(`token: ${token} (asked for then; good for one login)`);
  } finally {
    await store.close();
  }
}
