import { clientConfigPath, readClientConfig } from "../../proto/config/client-config.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Terminal } from "../output/terminal.ts";
import { connect, type Hps } from "../sdk/connect.ts";
import { collect } from "./collect.ts";

/** Whoever presses Tab waits no longer than this. */
const LIMIT_MS = 1500;
const MOST = 200;

/** Names of objects that exist now, for what an argument or option is called: `host`, `hosts`, `cluster`, `session`, … */
export async function liveNames(terminal: Terminal, kind: string, prefix: string): Promise<readonly string[]> {
  try {
    if (kind === "context") return await contexts(terminal);
    using hps = await connect({ environment: terminal.environment });
    return await ask(hps, kind, prefix);
  } catch (error) {
    if (error instanceof HpsError) return [];
    throw error;
  }
}

async function contexts({ environment }: Terminal): Promise<readonly string[]> {
  return (await readClientConfig(clientConfigPath(environment))).contexts.map(({ name }) => name);
}

async function ask(hps: Hps, kind: string, prefix: string): Promise<readonly string[]> {
  const options = { timeoutMs: LIMIT_MS };
  if (/^(host|hosts|installation)$/.test(kind)) return hostNames(hps, prefix);
  if (kind === "cluster") return (await collect(hps.listClusters(options), MOST)).map(({ name }) => name);
  if (/^images?$|^image-after$/.test(kind)) {
    const images = hps.listImages({ cluster: hps.cluster ?? "" }, options);
    return (await collect(images, MOST)).map(({ name }) => name);
  }
  if (kind === "session") {
    const sessions = hps.listSessions({ cluster: hps.cluster ?? "" }, options);
    return (await collect(sessions, MOST)).map(({ id }) => id);
  }
  if (kind === "grant") {
    return (await collect(hps.listGrants({ cluster: hps.cluster ?? "" }, options), MOST)).map(({ id }) => id);
  }
  if (kind === "operator") return (await collect(hps.listOperators(options), MOST)).map(({ name }) => name);
  return [];
}

/** Hosts of the context's cluster by their names, all others as `cluster/name`. */
async function hostNames(hps: Hps, prefix: string): Promise<readonly string[]> {
  const [, before, begun = ""] = /^(?:([a-z][a-z0-9-]*)\/)?([a-z0-9-]*)$/.exec(prefix) ?? [];
  const cluster = before ?? hps.cluster ?? "";
  const filter = begun === "" || cluster === "" ? "" : `name=${begun}*`;
  const hosts = await collect(hps.listHosts({ cluster, filter }, { timeoutMs: LIMIT_MS }), MOST);
  const short = before === undefined && hps.cluster !== undefined;
  return hosts.map((host) => (short ? host.name : `${host.cluster}/${host.name}`));
}
