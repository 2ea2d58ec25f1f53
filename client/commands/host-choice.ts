import type { Host } from "../../proto/gen/hps/v1/host_pb.ts";
import { type HostSet, parseHostSet, type TagSelector } from "../../proto/values/host-set.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { formatTag, parseTag, parseTagKey, type Tag } from "../../proto/values/tag.ts";
import type { Hps } from "../sdk/connect.ts";
import { clusterOr, hostReference, isId, splitCluster } from "../sdk/host-names.ts";
import type { Call } from "./call.ts";

/** Which hosts a command acts on, as requests name them; `many` when written as a set, though it may hold one. */
export interface HostChoice {
  readonly references: readonly string[];
  readonly many: boolean;
}

/** Reads `web01`, `lab/web[01-20]`, `@rack=r1`, ids, several of them: each host once, in the order written. */
export async function chooseHosts(call: Call, operands = call.operands): Promise<HostChoice> {
  const hps = await call.connect();
  const references = new Set<string>();
  let many = operands.length > 1;
  for (const operand of operands) {
    if (isId(operand)) {
      references.add(operand.toLowerCase());
      continue;
    }
    const { prefix, rest } = splitCluster(operand);
    const cluster = clusterOr(prefix ?? hps.cluster);
    const set = parseHostSet(rest);
    many ||= set.names.length > 1 || set.tags.length > 0;
    for (const reference of await namedBy(call, hps, cluster, set)) references.add(reference);
  }
  if (references.size === 0)
    throw new HpsError("not-found", `no host is in ${operands.map((o) => quote(o)).join(" ")}`, {
      hint: "hpsctl host ls -o wide shows hosts with their tags",
    });
  return { references: [...references], many };
}

async function namedBy(call: Call, hps: Hps, cluster: string, { names, tags }: HostSet): Promise<readonly string[]> {
  const references = names.map((name) => `${cluster}/${name}`);
  if (tags.length === 0) return references;
  for await (const host of hps.listHosts({ cluster }, call.once)) {
    if (tags.some((tag) => hasTag(host, tag))) references.push(`${cluster}/${host.name}`);
  }
  return references;
}

export function hasTag(host: Pick<Host, "tags">, { key, value }: TagSelector): boolean {
  return Object.hasOwn(host.tags, key) && (value === undefined || host.tags[key] === value);
}

/** The one host a command is about. */
export async function chooseHost(call: Call): Promise<string> {
  const hps = await call.connect();
  return hostReference(call.operand(0), hps.cluster);
}

/** `rack=r1,role` to selectors. */
export function parseSelectors(texts: readonly string[]): readonly TagSelector[] {
  return texts.map((text) => (text.includes("=") ? parseTag(text) : { key: parseTagKey(text) }));
}

/** The server's filter for those selectors that have a value, beside `filter`. */
export function filterOf(filter: string, selectors: readonly TagSelector[]): string {
  const terms = selectors.flatMap(({ key, value }) => (value === undefined ? [] : [termOf({ key, value })]));
  return [filter, ...terms].filter((term) => term !== "").join(" ");
}

function termOf(tag: Tag): string {
  if (!/[\s"\\]/.test(tag.value)) return `tag.${formatTag(tag)}`;
  return `tag.${tag.key}="${tag.value.replace(/["\\]/g, "\\$&")}"`;
}
