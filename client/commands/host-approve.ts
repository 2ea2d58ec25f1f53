import type { Command } from "commander";
import type { Host } from "../../proto/gen/hps/v1/host_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type Mac, parseMac } from "../../proto/values/mac.ts";
import { HOST_VIEW, hostName } from "../output/host-view.ts";
import { INSTALLATION_VIEW } from "../output/installation-view.ts";
import { note, printOne } from "../output/print.ts";
import type { Hps } from "../sdk/connect.ts";
import { clusterOr } from "../sdk/host-names.ts";
import { armWishOf, withWindow } from "./arm-options.ts";
import type { Call } from "./call.ts";
import type { Tools } from "./group.ts";
import { openInstallation } from "./host-claim.ts";
import { networkOf, withNetwork } from "./host-network.ts";
import { each } from "./options.ts";

const HELP = `
Two things wait for an operator's word:
  A machine hpsd does not know, at the first-contact menu (hpsctl host contacts lists them). It becomes a host:
    hpsctl host approve 52:54:00:12:34:56 --name web01 --image debian/base:12
  The agent of a known host, where the cluster's admission is 'approve'. Its console shows the fingerprint:
    hpsctl host approve web01 --fingerprint f69ad-7b073-d6423-5977f`;

/** `host approve`. */
export function addHostApproveCommand(group: Command, tools: Tools): void {
  const command = group
    .command("approve")
    .description("let in a machine that waits: an unknown one by its MAC, a host's agent by its fingerprint")
    .argument("<host>", "MAC address of an unknown machine; or HOST, CLUSTER/HOST, id")
    .option("--fingerprint <text>", "of the host's agent, as the machine's own console shows it")
    .option("--name <name>", "of the new host")
    .option("--address <ip>", "address reserved for the new host; may be given again", each)
    .option("--image <name:tag>", "arm the new host to install this image")
    .option("--arm", "arm the new host");
  withWindow(withNetwork(command)).addHelpText("after", HELP).action(tools.run(approve));
}

interface ApproveOptions {
  readonly fingerprint?: string;
  readonly name?: string;
  readonly address?: readonly string[];
  readonly image?: string;
  readonly arm?: true;
  readonly window?: string;
  readonly network?: string;
}

/** With their separators: twelve bare digits might be a host's name. */
const LOOKS_LIKE_MAC = /^([0-9a-f]{2}([:-][0-9a-f]{2}){5}|[0-9a-f]{4}(\.[0-9a-f]{4}){2})$/i;

async function approve(call: Call): Promise<number> {
  const options = call.options<ApproveOptions>();
  const operand = call.operand(0);
  return LOOKS_LIKE_MAC.test(operand) ? approveMachine(call, parseMac(operand), options) : approveAgent(call, options);
}

async function approveAgent(call: Call, { fingerprint, ...others }: ApproveOptions): Promise<number> {
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw new HpsError("invalid", `--${other} is for a machine that is not known yet`, {
      hint: "name that one by its MAC address; a known host is changed by hpsctl host edit",
    });
  }
  if (fingerprint === undefined) {
    throw new HpsError("invalid", "the fingerprint is missing", {
      hint: "read it on the machine's own console, then add --fingerprint",
    });
  }
  const hps = await call.connect();
  const installation = await openInstallation(call, hps);
  const approved = await hps.installations.approveEnrolment({ installation, fingerprint }, call.once);
  await note(call.terminal, "approved: the agent is let in when it asks next, within seconds");
  await printOne(call, INSTALLATION_VIEW, approved);
  return 0;
}

async function approveMachine(call: Call, mac: Mac, options: ApproveOptions): Promise<number> {
  const { name, fingerprint, image, arm, window } = options;
  if (fingerprint !== undefined || name === undefined) {
    throw new HpsError("invalid", `machine ${mac} has no name yet`, {
      hint: "add --name, and --cluster if it is not the context's; --fingerprint is for a host's agent",
    });
  }
  const wish = armWishOf({ ...(image !== undefined && { image }), ...(window !== undefined && { window }) });
  const hps = await call.connect();
  await refuseUnseen(call, hps, mac);
  const host = await addHost(call, hps, mac, options);
  if (arm === undefined && image === undefined) {
    await note(
      call.terminal,
      `${hostName(host)} is known now; install it: hpsctl install ${hostName(host)} --image NAME:TAG`,
    );
    await printOne(call, HOST_VIEW, host);
    return 0;
  }
  const installation = await hps.hosts.armHost({ ...wish, host: host.id }, call.once).catch((error: unknown) => {
    if (!(error instanceof HpsError)) throw error;
    throw new HpsError(error.code, `${hostName(host)} was added, but is not armed: ${error.message}`, {
      hint: error.hint,
      details: error.details,
      cause: error,
    });
  });
  await note(
    call.terminal,
    "a machine at the first-contact menu goes on when it asks next; another one has to be powered on",
  );
  await printOne(call, INSTALLATION_VIEW, installation);
  return 0;
}

/** Approval is for a machine that asked. Who may not read the contacts is taken at their word: hpsd checks what they may do. */
async function refuseUnseen(call: Call, hps: Hps, mac: Mac): Promise<void> {
  try {
    for await (const contact of hps.listContacts(call.once)) if (contact.mac === mac) return;
  } catch (error) {
    if (error instanceof HpsError && error.code === "denied") return;
    throw error;
  }
  throw new HpsError("not-found", `no unknown machine ${mac} has asked how to boot`, {
    hint: "hpsctl host contacts lists those that did; a machine that is still off: hpsctl host add",
  });
}

async function addHost(call: Call, hps: Hps, mac: Mac, options: ApproveOptions): Promise<Host> {
  const { name = "", address, network } = options;
  const host = {
    cluster: clusterOr(hps.cluster),
    name,
    macs: [mac],
    ...(address !== undefined && { addresses: [...address] }),
    ...(network !== undefined && { network: networkOf(network) }),
  };
  return await hps.hosts.createHost({ host }, call.once);
}
