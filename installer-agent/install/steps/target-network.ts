import { randomBytes } from "node:crypto";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { readSmallFile } from "../../../proto/config/private-file.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { type IpAddress, parseIpAddress } from "../../../proto/values/ip-address.ts";
import { type Mac, parseMac } from "../../../proto/values/mac.ts";
import { agentUnit, STATE, STATE_PLACE } from "../../plan/agent-unit.ts";
import { networkFiles, type TargetNetwork } from "../../plan/network-files.ts";
import { systemFiles } from "../../plan/system-files.ts";
import type { TargetFile } from "../../plan/target-file.ts";
import { TargetRoot } from "../../system/target-root.ts";
import { copyAgent, INSTALLER_AGENT } from "../agent-files.ts";
import type { HostConfiguration } from "../host-configuration.ts";
import { makeHostIdentity } from "../host-identity.ts";
import { readImageNetwork, requireSystemd } from "../image-network.ts";
import type { InstallOrder } from "../install-order.ts";
import { makeSshKeys } from "../ssh-keys.ts";
import type { Step, StepContext } from "../step.ts";

/** Makes the image's system this host: names, network, machine-id, SSH host keys, and the host agent with its own identity. */
export const targetNetwork: Step = {
  name: "target-network",
  installs: true,
  run: async (context) => {
    const { job, signal, log } = context;
    const { root: path, installation } = await job.target.open(context);
    const configuration = await job.configuration(signal);
    const { order, hostName, hostId } = configuration;
    if (order === undefined) throw new HpsError("precondition", "nothing is to be installed on this machine");
    const root = new TargetRoot(path);
    await requireSystemd(root);
    const state = join(path, STATE_PLACE);
    const files = await plannedFiles(root, { configuration, order, machineId: await machineIdOf(state) });
    for (const file of files) await put(root, file);
    log(`written: ${files.map((file) => `/${file.path}`).join(", ")}`);
    const fingerprint = await makeSshKeys({ root, state, hostName, signal, log });
    log(fingerprint === undefined ? "the image has no SSH server" : `SSH host key ${fingerprint}`);
    await placeAgent(state, context);
    const issue = (request: Uint8Array<ArrayBuffer>) => job.hostCertificate(request, signal);
    const folder = join(state, STATE.identity);
    await makeHostIdentity({
      ...{ folder, hostId, installation, issue },
      contact: job.contact,
      image: order.image.name,
    });
    log("the installed system has its own key and certificate");
  },
};

interface Planning {
  readonly configuration: HostConfiguration;
  readonly order: InstallOrder;
  readonly machineId: string;
}

async function plannedFiles(root: TargetRoot, { configuration, order, machineId }: Planning) {
  const { hostName, domain } = configuration;
  const { mode, addresses, gateway } = order.network;
  const nameServers = mode === "static" ? order.network.nameServers : await ownNameServers();
  const network: TargetNetwork = { mac: macOf(configuration, order), mode, addresses, gateway, nameServers, domain };
  const address = mode === "static" ? addresses[0]?.address : undefined;
  return [
    ...systemFiles({ hostName, domain, address, machineId }),
    ...networkFiles(await readImageNetwork(root, mode), network),
    ...agentUnit(),
  ];
}

/** The NIC that is named, else the one that the installer came by. */
function macOf({ macs }: HostConfiguration, { network }: InstallOrder): Mac {
  if (network.mac !== undefined) return network.mac;
  const used = Object.values(networkInterfaces())
    .flatMap((addresses = []) => addresses)
    .filter(({ internal }) => !internal)
    .map(({ mac }) => parseMac(mac));
  const mac = macs.find((one) => used.includes(one)) ?? used[0];
  if (mac !== undefined) return mac;
  throw new HpsError("precondition", "nothing says which network card the installed system is to use");
}

/** Those that the installer itself was told, for an image that would not write them down. */
async function ownNameServers(): Promise<readonly IpAddress[]> {
  const text = (await readSmallFile("/etc/resolv.conf").catch(() => undefined)) ?? "";
  return text.split("\n").flatMap((line) => {
    const address = /^nameserver\s+([0-9a-fA-F.:]+)\s*$/.exec(line)?.[1];
    try {
      return address === undefined ? [] : [parseIpAddress(address)];
    } catch {
      return [];
    }
  });
}

/** New in each installation, and the same when this step is done again; kept on the state partition for roots to come. */
async function machineIdOf(state: string): Promise<string> {
  const file = new TargetRoot(state);
  const known = (await file.text("machine-id"))?.trim() ?? "";
  if (/^[0-9a-f]{32}$/.test(known)) return known;
  const made = randomBytes(16).toString("hex");
  await file.write("machine-id", `${made}\n`, 0o444);
  return made;
}

async function put(root: TargetRoot, file: TargetFile): Promise<void> {
  if ("link" in file) await root.link(file.path, file.link);
  else await root.write(file.path, file.content, file.mode);
}

async function placeAgent(state: string, { log, progress }: StepContext): Promise<void> {
  const bytes = await copyAgent(join(state, STATE.agent), INSTALLER_AGENT);
  progress(bytes, bytes, "bytes");
  log(`the host agent is in ${STATE_PLACE}/${STATE.agent}, ${bytes} bytes`);
}
