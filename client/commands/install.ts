import { type Host, HostState } from "../../proto/gen/hps/v1/host_pb.ts";
import type { Installation } from "../../proto/gen/hps/v1/installation_pb.ts";
import { hostName } from "../output/host-view.ts";
import { INSTALLATION_VIEW } from "../output/installation-view.ts";
import { note, printList, printOne } from "../output/print.ts";
import { waitsForMachine, whatNext } from "../output/what-next.ts";
import type { Hps } from "../sdk/connect.ts";
import { type ArmOptions, armWishOf, confirmWipe } from "./arm-options.ts";
import type { Call } from "./call.ts";
import { answersYes, canAsk } from "./confirm.ts";
import { type Done, doEach, type Named, reportFailures, resultsOf } from "./each-host.ts";
import { chooseHosts } from "./host-choice.ts";
import { networkOf } from "./host-network.ts";
import { watchInstallations } from "./installation-watch.ts";

export interface InstallOptions extends ArmOptions {
  readonly network?: string;
  /** Restart an installed system into the network; undefined: ask where somebody can answer. */
  readonly reboot?: boolean;
  readonly yes?: true;
  readonly watch?: true;
}

/** Arms hosts with an image and, when told so, follows them to their end. What can be refused is refused before a host is armed. */
export async function install(call: Call): Promise<number> {
  const options = call.options<InstallOptions>();
  const wish = armWishOf(options);
  const hps = await call.connect();
  const { references, many } = await chooseHosts(call);
  const asked = references.map((host) => ({ name: host, item: host }));
  const found = await doEach(call, asked, (host) => hps.hosts.getHost({ host }, call.once));
  if (!many) throwFirst(found);
  const hosts = resultsOf(found).map((host) => ({ name: hostName(host), item: host }));
  if (options.wipe && hosts.length > 0) await confirmWipe(call, resultsOf(found));
  const restarted = await whichRestart(call, hosts, options);
  const armed = await doEach(call, hosts, async (host) => {
    await setNetwork(call, hps, host, options);
    const reboot = restarted.includes(host);
    const installation = await hps.hosts.armHost({ ...wish, host: host.id, reboot }, call.once);
    return { installation, host, reboot };
  });
  if (!many) throwFirst(armed);
  const lost = found.filter(({ error }) => error !== undefined);
  const worst = many ? await reportFailures(call, [...lost, ...armed]) : 0;
  return Math.max(worst, await goOn(call, hps, resultsOf(armed), many));
}

interface Armed {
  readonly installation: Installation;
  readonly host: Host;
  /** Whether its machine was told to restart. */
  readonly reboot: boolean;
}

async function goOn(call: Call, hps: Hps, armed: readonly Armed[], many: boolean): Promise<number> {
  const installations = armed.map(({ installation }) => installation);
  const { watch } = call.options<InstallOptions>();
  if (!watch) {
    const [only] = installations;
    if (many || only === undefined) await printList(call, INSTALLATION_VIEW, installations);
    else await printOne(call, INSTALLATION_VIEW, only);
  }
  // One that is shown with what it waits for, now or as it is followed, has been told that already.
  const told = watch ? !["json", "yaml"].includes(call.format) : !many && ["table", "wide"].includes(call.format);
  for (const one of armed.filter((each) => !told || each.reboot || isRunning(each.host))) {
    await note(call.terminal, nextText(one));
  }
  if (!watch || armed.length === 0) return 0;
  const all = armed.map(({ installation, host }) => ({ id: installation.id, host: hostName(host) }));
  return await watchInstallations(call, hps, { all, stopWhenStuck: true });
}

function nextText({ installation, host, reboot }: Armed): string {
  if (reboot) return `${hostName(host)}: it restarts into the network now`;
  const [next = ""] = isRunning(host) ? [powerCycle(installation)] : whatNext(installation);
  return `${hostName(host)}: ${next}`;
}

function powerCycle(installation: Installation): string {
  return `its installed system still runs: ${waitsForMachine(installation, "power-cycle it now")}`;
}

function isRunning({ state, attached }: Host): boolean {
  return state === HostState.INSTALLED && attached;
}

function throwFirst(done: readonly Done<unknown>[]): void {
  for (const { error } of done) if (error !== undefined) throw error;
}

/** Of hosts whose installed system is there to be told, those that are to restart. It can only be told as they are armed. */
async function whichRestart(
  call: Call,
  hosts: readonly Named<Host>[],
  { reboot, yes }: InstallOptions,
): Promise<readonly Host[]> {
  const running = hosts.filter(({ item }) => isRunning(item));
  if (running.length === 0 || reboot === false) return [];
  const names = running.map(({ name }) => name).join(", ");
  const told = reboot ?? (!yes && canAsk(call.terminal) && (await answersYes(call.terminal, question(names))));
  return told ? running.map(({ item }) => item) : [];
}

function question(names: string): string {
  return `the installed system of ${names} runs: restart into the network as soon as it is armed`;
}

async function setNetwork(call: Call, hps: Hps, { id, etag }: Host, { network }: InstallOptions): Promise<void> {
  if (network === undefined) return;
  const host = { id, etag, network: networkOf(network) };
  await hps.hosts.updateHost({ host, updateMask: { paths: ["network"] } }, call.once);
}
