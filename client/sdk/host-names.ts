import { parseHostName } from "../../proto/values/host-name.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseObjectName } from "../../proto/values/object-name.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What requests name a host by: its id, or `cluster/name`. A name alone is of `cluster`. */
export function hostReference(text: string, cluster: string | undefined): string {
  if (isId(text)) return text.toLowerCase();
  const { prefix, rest } = splitCluster(text);
  return `${clusterOr(prefix ?? cluster)}/${parseHostName(rest)}`;
}

export function isId(text: string): boolean {
  return UUID.test(text);
}

/** `lab/web[01-20]` to the cluster before the slash, when there is one, and the rest. A slash after `@` belongs to a tag. */
export function splitCluster(text: string): { readonly prefix?: string; readonly rest: string } {
  const [, prefix, rest = text] = /^([^@/[\],]+)\/(.*)$/s.exec(text) ?? [];
  return prefix === undefined ? { rest } : { prefix: parseObjectName(prefix, "cluster name"), rest };
}

/** The cluster, or an error that says how to name one. */
export function clusterOr(cluster: string | undefined): string {
  if (cluster !== undefined && cluster !== "") return parseObjectName(cluster, "cluster name");
  throw new HpsError("invalid", "no cluster is named", {
    hint: "write CLUSTER/NAME, add --cluster, set HPS_CLUSTER, or give the context one: hpsctl context use NAME --cluster CLUSTER",
  });
}
