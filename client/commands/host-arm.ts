import type { Command } from "commander";
import type { Host } from "../../proto/gen/hps/v1/host_pb.ts";
import { CONTACT_VIEW, HOST_VIEW } from "../output/host-view.ts";
import { INSTALLATION_VIEW } from "../output/installation-view.ts";
import { printList } from "../output/print.ts";
import type { Hps } from "../sdk/connect.ts";
import { type ArmOptions, armWishOf, confirmWipe, withTarget, withWindow } from "./arm-options.ts";
import type { Call } from "./call.ts";
import { collect } from "./collect.ts";
import { doEach, eachHost, reportFailures, resultsOf } from "./each-host.ts";
import type { Tools } from "./group.ts";
import { chooseHosts } from "./host-choice.ts";
import { watchInstallations } from "./installation-watch.ts";
import { withYes } from "./options.ts";

/** `host arm`, `disarm` and `contacts`. */
export function addHostArmCommands(group: Command, tools: Tools): void {
  const arming = group
    .command("arm")
    .description("open the window in which hosts may be installed, once")
    .argument("<hosts...>", "HOST, CLUSTER/HOST, web[01-20], @tag")
    .option("--image <name:tag>", "what to install")
    .option("--wait", "follow the installations until they end, fail or freeze");
  withYes(withTarget(withWindow(arming))).action(tools.run(arm));
  group
    .command("disarm")
    .description("close the window again")
    .argument("<hosts...>", "HOST, CLUSTER/HOST, web[01-20], @tag")
    .action(tools.run(disarm));
  group
    .command("contacts")
    .description("list unknown machines that asked how to boot; nothing they say is checked")
    .action(tools.run(contacts));
}

async function arm(call: Call): Promise<number> {
  const options = call.options<ArmOptions & { wait?: true }>();
  const wish = armWishOf(options);
  const hps = await call.connect();
  const choice = await chooseHosts(call);
  if (options.wipe) await confirmWipe(call, await hostsOf(call, hps, choice.references));
  const one = (host: string) => hps.hosts.armHost({ host, ...wish }, call.once);
  if (!options.wait) return eachHost(call, one, INSTALLATION_VIEW, choice);
  const named = choice.references.map((host) => ({ name: host, item: host }));
  const done = await doEach(call, named, async (host) => ({ host, id: (await one(host)).id }));
  const [first] = done;
  if (!choice.many && first?.error !== undefined) throw first.error;
  const worst = choice.many ? await reportFailures(call, done) : 0;
  return Math.max(worst, await watchInstallations(call, hps, { all: resultsOf(done), stopWhenStuck: true }));
}

function hostsOf(call: Call, hps: Hps, references: readonly string[]): Promise<Host[]> {
  return Promise.all(references.map((host) => hps.hosts.getHost({ host }, call.once)));
}

async function disarm(call: Call): Promise<number> {
  const hps = await call.connect();
  return eachHost(call, (host) => hps.hosts.disarmHost({ host }, call.once), HOST_VIEW);
}

async function contacts(call: Call): Promise<number> {
  const hps = await call.connect();
  await printList(call, CONTACT_VIEW, await collect(hps.listContacts(call.once)));
  return 0;
}
