import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { parseDuration } from "../../proto/values/duration.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { INSTALLATION_VIEW } from "../output/installation-view.ts";
import { note } from "../output/print.ts";
import { whatNext } from "../output/what-next.ts";
import { type ArmOptions, withWindow } from "./arm-options.ts";
import type { Call } from "./call.ts";
import { eachHost } from "./each-host.ts";
import type { Tools } from "./group.ts";
import { chooseHosts } from "./host-choice.ts";
import { watchInstallations } from "./installation-watch.ts";

const HELP = `
Nothing is installed and no disk is touched; an installed system keeps its certificate. The rescue ends when it is cancelled, and the
machine restarts into the system that is installed on it:
  hpsctl host rescue web01 --watch && hpsctl installer-shell web01
  hpsctl installation cancel web01 --yes`;

/** The last step of an installation that installs nothing. */
const READY = "configuration";

/** `host rescue`. */
export function addHostRescueCommand(group: Command, tools: Tools): void {
  const command = group
    .command("rescue")
    .description("boot hosts into the installer for its shell alone")
    .argument("<hosts...>", "HOST, CLUSTER/HOST, web[01-20], @tag")
    .option("--reboot", "restart the installed system into the network, through its agent")
    .option("-w, --watch", "wait until the shell is there (one host)");
  withWindow(command).addHelpText("after", HELP).action(tools.run(rescue));
}

interface RescueOptions extends Pick<ArmOptions, "window"> {
  readonly reboot?: true;
  readonly watch?: true;
}

async function rescue(call: Call): Promise<number> {
  const { reboot = false, watch, window } = call.options<RescueOptions>();
  const wish = window === undefined ? {} : { window: durationFromMs(parseDuration(window)) };
  const hps = await call.connect();
  const one = async (host: string) => {
    const installation = await hps.hosts.armHost({ ...wish, host, reboot, rescue: true }, call.once);
    if (reboot) await note(call.terminal, `${host}: it restarts into the network now`);
    return installation;
  };
  const choice = await chooseHosts(call);
  if (!watch) return eachHost(call, one, INSTALLATION_VIEW, choice);
  const [host = ""] = choice.references;
  if (choice.many) throw new HpsError("invalid", "--watch follows one host", { hint: "leave it out for a set" });
  const installation = await one(host);
  if (!reboot) for (const text of whatNext(installation)) await note(call.terminal, text);
  const all = [{ id: installation.id, host }];
  const code = await watchInstallations(call, hps, { all, stopWhenStuck: true, until: READY });
  if (code === 0) await note(call.terminal, `the shell is there: hpsctl installer-shell ${host}`);
  return code;
}
