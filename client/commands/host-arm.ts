import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { parseDuration } from "../../proto/values/duration.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { CONTACT_VIEW, HOST_VIEW } from "../output/host-view.ts";
import { INSTALLATION_VIEW } from "../output/installation-view.ts";
import { note, printList, printOne } from "../output/print.ts";
import type { Call } from "./call.ts";
import { collect } from "./collect.ts";
import { eachHost } from "./each-host.ts";
import type { Tools } from "./group.ts";
import { chooseHosts } from "./host-choice.ts";
import { openInstallation } from "./host-claim.ts";
import { watchInstallation } from "./installation-watch.ts";
import { each } from "./options.ts";

/** `host arm`, `disarm`, `approve` and `contacts`. */
export function addHostArmCommands(group: Command, tools: Tools): void {
  group
    .command("arm")
    .description("open the window in which hosts may be installed, once")
    .argument("<hosts...>", "HOST, CLUSTER/HOST, web[01-20], @tag")
    .option("--window <duration>", "how long: 30m, 2h; 1 minute to 7 days (default: 1h)")
    .option("--image <name:tag>", "what to install")
    .option("--wipe-disk <serial>", "this disk may be wiped although it holds data; may be given again", each)
    .option("--wait", "follow the installation until it ends, fails or freezes (one host)")
    .action(tools.run(arm));
  group
    .command("disarm")
    .description("close the window again")
    .argument("<hosts...>", "HOST, CLUSTER/HOST, web[01-20], @tag")
    .action(tools.run(disarm));
  group
    .command("approve")
    .description("let in the agent that waits on this host's installation")
    .argument("<host>", "HOST, CLUSTER/HOST or id")
    .requiredOption("--fingerprint <text>", "as the machine's own console shows it")
    .action(tools.run(approve));
  group
    .command("contacts")
    .description("list unknown machines that asked how to boot; nothing they say is checked")
    .action(tools.run(contacts));
}

interface ArmOptions {
  readonly window?: string;
  readonly image?: string;
  readonly wipeDisk?: readonly string[];
  readonly wait?: true;
}

async function arm(call: Call): Promise<number> {
  const hps = await call.connect();
  const { window, image, wipeDisk, wait } = call.options<ArmOptions>();
  const wish = {
    image: image ?? "",
    wipeDiskSerials: [...(wipeDisk ?? [])],
    ...(window !== undefined && { window: durationFromMs(parseDuration(window)) }),
  };
  const one = (host: string) => hps.hosts.armHost({ host, ...wish }, call.once);
  if (!wait) return eachHost(call, one, INSTALLATION_VIEW);
  const { references, many } = await chooseHosts(call);
  if (many) throw new HpsError("invalid", "--wait follows one host", { hint: "arm the set, then watch each" });
  const { id } = await one(references[0] ?? "");
  return watchInstallation(call, hps, { id, stopWhenStuck: true });
}

async function disarm(call: Call): Promise<number> {
  const hps = await call.connect();
  return eachHost(call, (host) => hps.hosts.disarmHost({ host }, call.once), HOST_VIEW);
}

async function approve(call: Call): Promise<number> {
  const hps = await call.connect();
  const installation = await openInstallation(call, hps);
  const { fingerprint } = call.options<{ fingerprint: string }>();
  const approved = await hps.installations.approveEnrolment({ installation, fingerprint }, call.once);
  await note(call.terminal, "approved: the agent is let in when it asks next, within seconds");
  await printOne(call, INSTALLATION_VIEW, approved);
  return 0;
}

async function contacts(call: Call): Promise<number> {
  const hps = await call.connect();
  await printList(call, CONTACT_VIEW, await collect(hps.listContacts(call.once)));
  return 0;
}
