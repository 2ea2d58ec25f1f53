import type { Command } from "commander";
import type { Host } from "../../proto/gen/hps/v1/host_pb.ts";
import { HOST_VIEW } from "../output/host-view.ts";
import { printList } from "../output/print.ts";
import type { Hps } from "../sdk/connect.ts";
import { bursts } from "./bursts.ts";
import type { Call } from "./call.ts";
import { collect } from "./collect.ts";
import { confirm } from "./confirm.ts";
import { eachHost } from "./each-host.ts";
import { followList } from "./follow-list.ts";
import type { AddCommands, Tools } from "./group.ts";
import { addHostApproveCommand } from "./host-approve.ts";
import { addHostArmCommands } from "./host-arm.ts";
import { chooseHosts, filterOf, hasTag, parseSelectors } from "./host-choice.ts";
import { addHostClaimCommand } from "./host-claim.ts";
import { addHostEditCommands } from "./host-edit.ts";
import { addHostRescueCommand } from "./host-rescue.ts";
import { each, type WatchOption, withAllClusters, withWatch, withYes } from "./options.ts";

/** Names in a question before the rest is counted. */
const SHOWN = 5;

export const addHostCommands: AddCommands = (group, tools) => {
  addReaders(group, tools);
  addHostEditCommands(group, tools);
  withYes(group.command("rm").description("remove hosts: certificates, lease and name go too"))
    .argument("<hosts...>", "HOST, CLUSTER/HOST, web[01-20], @tag")
    .action(tools.run(remove));
  addHostArmCommands(group, tools);
  addHostApproveCommand(group, tools);
  addHostRescueCommand(group, tools);
  addHostClaimCommand(group, tools);
};

function addReaders(group: Command, tools: Tools): void {
  withAllClusters(withWatch(group.command("ls").description("list hosts")))
    .option("-l, --selector <key=value>", "only hosts with this tag; may be given again", each)
    .option("--filter <terms>", "only hosts for which all terms hold: state=armed name=web*")
    .option("--sort <order>", "name, create_time or state; with ' desc' the other way round")
    .action(tools.run(list));
  withWatch(group.command("get").description("show hosts"))
    .argument("<hosts...>", "HOST, CLUSTER/HOST, web[01-20], @tag")
    .action(tools.run(get));
}

interface ListOptions extends WatchOption {
  readonly selector?: readonly string[];
  readonly filter?: string;
  readonly sort?: string;
}

async function list(call: Call): Promise<number> {
  const hps = await call.connect();
  const { selector = [], filter = "", sort = "", watch } = call.options<ListOptions>();
  const selectors = parseSelectors(selector);
  const cluster = await call.listedCluster();
  const request = { cluster, filter: filterOf(filter, selectors), orderBy: sort };
  const read = async () => {
    const hosts = await collect(hps.listHosts(request, call.once));
    return hosts.filter((host) => selectors.every((tag) => hasTag(host, tag)));
  };
  if (watch) return followList(call, { view: HOST_VIEW, read, ticks: changesOf(hps, call, cluster) });
  await printList(call, HOST_VIEW, await read());
  return 0;
}

async function get(call: Call): Promise<number> {
  const hps = await call.connect();
  const one = (host: string): Promise<Host> => hps.hosts.getHost({ host }, call.once);
  if (!call.options<WatchOption>().watch) return eachHost(call, one, HOST_VIEW);
  const { references } = await chooseHosts(call);
  const read = () => Promise.all(references.map(one));
  return followList(call, { view: HOST_VIEW, read, ticks: changesOf(hps, call, "") });
}

/** When to read the hosts again: what changes in one burst is one tick. */
function changesOf(hps: Hps, call: Call, cluster: string): AsyncIterable<void> {
  return bursts(hps.watchHosts(cluster, call.stream));
}

async function remove(call: Call): Promise<number> {
  const hps = await call.connect();
  const choice = await chooseHosts(call);
  const { references } = choice;
  const more = references.length > SHOWN ? ` and ${references.length - SHOWN} more` : "";
  await confirm(call, `remove ${references.slice(0, SHOWN).join(", ")}${more}`);
  return eachHost(call, (host) => hps.hosts.deleteHost({ host }, call.once), undefined, choice);
}
