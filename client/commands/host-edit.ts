import type { Command } from "commander";
import { type Host, ResumePolicy } from "../../proto/gen/hps/v1/host_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseTag, parseTagKey } from "../../proto/values/tag.ts";
import { HOST_VIEW } from "../output/host-view.ts";
import { printOne } from "../output/print.ts";
import { enumNumber } from "../output/words.ts";
import { hostReference } from "../sdk/host-names.ts";
import type { Call } from "./call.ts";
import type { Tools } from "./group.ts";
import { chooseHost } from "./host-choice.ts";
import { networkOf, withNetwork } from "./host-network.ts";
import { choice, each } from "./options.ts";

/** `host add` and `host edit`. */
export function addHostEditCommands(group: Command, tools: Tools): void {
  settings(group.command("add").description("add a host").argument("<host>", "HOST or CLUSTER/HOST")).action(
    tools.run(add),
  );
  settings(group.command("edit").description("change a host").argument("<host>", "HOST, CLUSTER/HOST or id"))
    .option("--name <name>", "rename it")
    .option("--remove-tag <key>", "may be given again", each)
    .action(tools.run(edit));
}

function settings(command: Command): Command {
  return withNetwork(command)
    .option("--mac <mac>", "MAC address of a NIC, the one it boots from first; may be given again", each)
    .option("--address <ip>", "address reserved for it; may be given again", each)
    .option("--profile <text>", "what hosts of one make have in common")
    .option("--tag <key=value>", "may be given again", each)
    .addOption(
      choice("--resume <policy>", "what it does when it restarts in the middle of an installation", [
        "never",
        "once",
        "always",
      ]),
    );
}

interface Settings {
  readonly mac?: readonly string[];
  readonly address?: readonly string[];
  readonly profile?: string;
  readonly tag?: readonly string[];
  readonly resume?: string;
  readonly network?: string;
  readonly name?: string;
  readonly removeTag?: readonly string[];
}

type Fields = Partial<Pick<Host, "name" | "macs" | "addresses" | "profile" | "tags" | "resume" | "network">>;

async function add(call: Call): Promise<number> {
  const hps = await call.connect();
  const reference = hostReference(call.operand(0), hps.cluster);
  const at = reference.indexOf("/");
  if (at < 0) throw new HpsError("invalid", "a new host needs a name, not an id");
  const options = call.options<Settings>();
  const host = {
    cluster: reference.slice(0, at),
    name: reference.slice(at + 1),
    ...fieldsOf(options),
    ...(options.tag !== undefined && { tags: tagsOf(options.tag) }),
  };
  await printOne(call, HOST_VIEW, await hps.hosts.createHost({ host }, call.once));
  return 0;
}

/** Tags are changed one by one, on what the host has; the etag tells when someone else changed it meanwhile. */
async function edit(call: Call): Promise<number> {
  const hps = await call.connect();
  const old = await hps.hosts.getHost({ host: await chooseHost(call) }, call.once);
  const options = call.options<Settings>();
  const tags = (options.tag ?? options.removeTag) ? { tags: editedTags(old, options) } : {};
  const fields: Fields = { ...fieldsOf(options), ...tags };
  const paths = Object.keys(fields);
  if (paths.length === 0) throw new HpsError("invalid", "nothing to change is given", { hint: "see --help" });
  const host = { id: old.id, etag: old.etag, ...fields };
  await printOne(call, HOST_VIEW, await hps.hosts.updateHost({ host, updateMask: { paths } }, call.once));
  return 0;
}

function editedTags(host: Host, { tag = [], removeTag = [] }: Settings): Record<string, string> {
  const removed = removeTag.map(parseTagKey);
  const kept = Object.entries(host.tags).filter(([key]) => !removed.some((gone) => gone === key));
  return { ...Object.fromEntries(kept), ...tagsOf(tag) };
}

function tagsOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map(parseTag).map(({ key, value }) => [key, value]));
}

/** Those fields alone that were given; the server parses them. */
function fieldsOf({ mac, address, profile, resume, network, name }: Settings): Fields {
  return {
    ...(name !== undefined && { name }),
    ...(mac !== undefined && { macs: [...mac] }),
    ...(address !== undefined && { addresses: [...address] }),
    ...(profile !== undefined && { profile }),
    ...(resume !== undefined && { resume: enumNumber(ResumePolicy, resume, "a resume policy") }),
    ...(network !== undefined && { network: networkOf(network) }),
  };
}
