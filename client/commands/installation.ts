import type { Command } from "commander";
import type { Host } from "../../proto/gen/hps/v1/host_pb.ts";
import { type LogLine, LogLineSchema } from "../../proto/gen/hps/v1/installation_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { exactJson } from "../output/exact-json.ts";
import { INSTALLATION_VIEW } from "../output/installation-view.ts";
import { logText } from "../output/log-text.ts";
import { printList, printOne, protoJson } from "../output/print.ts";
import { write } from "../output/terminal.ts";
import { timeText } from "../output/words.ts";
import type { Hps } from "../sdk/connect.ts";
import { hostReference, isId } from "../sdk/host-names.ts";
import { type ArmOptions, confirmWipe, withWipe } from "./arm-options.ts";
import type { Call } from "./call.ts";
import { collect } from "./collect.ts";
import { confirm } from "./confirm.ts";
import { followList, untilInterrupted } from "./follow-list.ts";
import type { AddCommands, Handler, Tools } from "./group.ts";
import { chooseHosts } from "./host-choice.ts";
import { watchInstallations } from "./installation-watch.ts";
import { type WatchOption, withAllClusters, withWatch, withYes } from "./options.ts";
import { wholeNumber } from "./whole-number.ts";

const WHICH = "installation id, or a host for its newest";

export const addInstallationCommands: AddCommands = (group, tools) => {
  addReaders(group, tools);
  addDeciders(group, tools);
};

function addReaders(group: Command, tools: Tools): void {
  withAllClusters(withWatch(group.command("ls").description("list installations, newest first")))
    .option("--host <host>", "only of this host")
    .option("--open", "only those not ended")
    .option("--limit <count>", "at most so many", "100")
    .action(tools.run(list));
  withWatch(group.command("get").description("show one installation and its steps"))
    .argument("<installation>", WHICH)
    .action(tools.run(get));
  group
    .command("watch")
    .description("follow installations until they end; the exit code tells how")
    .argument("<installations...>", "installation ids, or hosts for their newest: HOST, web[01-20], @tag")
    .option("--stop-when-stuck", "end also when it waits for an operator: failed, interrupted or frozen")
    .option("--until <step>", "end also, and well, when this step is done")
    .action(tools.run(watch));
  group
    .command("log")
    .description("print an installation's log")
    .argument("<installation>", WHICH)
    .option("-f, --follow", "go on until it ends")
    .action(tools.run(log));
}

function addDeciders(group: Command, tools: Tools): void {
  const one = (name: string, description: string, handler: Handler) =>
    group.command(name).description(description).argument("<installation>", WHICH).action(tools.run(handler));
  const retrying = one("retry", "go on with an interrupted or failed installation", retry).option(
    "--wait",
    "then follow it",
  );
  withYes(withWipe(retrying));
  withYes(one("cancel", "end an open installation", cancel)).option("--reason <text>", "goes to the journal");
  one("pause-reboot", "hold the machine's restart when all steps are done", pauseReboot);
  one("resume-reboot", "let the machine restart; at once when it waits", resumeReboot);
  one("unfreeze", "lift the freeze of an installation two machines claimed", unfreeze);
}

async function list(call: Call): Promise<number> {
  const hps = await call.connect();
  const {
    host,
    open,
    limit,
    watch: goOn,
  } = call.options<{ host?: string; open?: true; limit: string } & WatchOption>();
  const most = wholeNumber(limit);
  const request = {
    cluster: await call.listedCluster(),
    openOnly: open ?? false,
    host: host === undefined ? "" : hostReference(host, hps.cluster),
  };
  const read = () => collect(hps.listInstallations(request, call.once), most);
  if (goOn) return followList(call, { view: INSTALLATION_VIEW, read });
  await printList(call, INSTALLATION_VIEW, await read());
  return 0;
}

async function get(call: Call): Promise<number> {
  const { hps, id } = await chosen(call);
  const read = () => hps.installations.getInstallation({ installation: id }, call.once);
  if (call.options<WatchOption>().watch) {
    return followList(call, { view: INSTALLATION_VIEW, read: async () => [await read()] });
  }
  await printOne(call, INSTALLATION_VIEW, await read());
  return 0;
}

async function watch(call: Call): Promise<number> {
  const { stopWhenStuck = false, until } = call.options<{ stopWhenStuck?: true; until?: string }>();
  const hps = await call.connect();
  const ids = call.operands.filter(isId).map((id) => ({ id: id.toLowerCase() }));
  const rest = call.operands.filter((operand) => !isId(operand));
  const { references } = rest.length === 0 ? { references: [] } : await chooseHosts(call, rest);
  const named = await Promise.all(references.map(async (host) => ({ host, id: await newestOf(call, hps, host) })));
  return watchInstallations(call, hps, {
    all: [...ids, ...named],
    stopWhenStuck,
    ...(until !== undefined && { until }),
  });
}

async function log(call: Call): Promise<number> {
  const { hps, id } = await chosen(call);
  const { follow = false } = call.options<{ follow?: true }>();
  await untilInterrupted(call, async () => {
    for await (const line of hps.watchInstallationLog(id, { ...call.stream, follow })) {
      await write(
        call.terminal.stdout,
        call.format === "json" ? jsonLine(line) : `${timeText(line.time)} ${logText(line)}\n`,
      );
    }
  });
  return 0;
}

function jsonLine(line: LogLine): string {
  return `${exactJson(protoJson(LogLineSchema)(line), 0)}\n`;
}

async function retry(call: Call): Promise<number> {
  const { wait, wipe = false, wipeDisk = [] } = call.options<Pick<ArmOptions, "wipe" | "wipeDisk"> & { wait?: true }>();
  const { hps, id } = await chosen(call);
  if (wipe) await confirmWipe(call, [await hostOf(call, hps, id)]);
  const request = { installation: id, wipe, wipeDiskSerials: [...wipeDisk] };
  const retried = await hps.installations.retryInstallation(request, call.once);
  if (wait) return watchInstallations(call, hps, { all: [{ id }], stopWhenStuck: true });
  await printOne(call, INSTALLATION_VIEW, retried);
  return 0;
}

async function hostOf(call: Call, hps: Hps, id: string): Promise<Host> {
  const { hostId } = await hps.installations.getInstallation({ installation: id }, call.once);
  return await hps.hosts.getHost({ host: hostId }, call.once);
}

async function pauseReboot(call: Call): Promise<number> {
  const { hps, id } = await chosen(call);
  await printOne(call, INSTALLATION_VIEW, await hps.installations.pauseReboot({ installation: id }, call.once));
  return 0;
}

async function resumeReboot(call: Call): Promise<number> {
  const { hps, id } = await chosen(call);
  await printOne(call, INSTALLATION_VIEW, await hps.installations.resumeReboot({ installation: id }, call.once));
  return 0;
}

async function cancel(call: Call): Promise<number> {
  const { hps, id } = await chosen(call);
  await confirm(call, `cancel installation ${id}`);
  const { reason = "" } = call.options<{ reason?: string }>();
  const cancelled = await hps.installations.cancelInstallation({ installation: id, reason }, call.once);
  await printOne(call, INSTALLATION_VIEW, cancelled);
  return 0;
}

async function unfreeze(call: Call): Promise<number> {
  const { hps, id } = await chosen(call);
  await printOne(
    call,
    INSTALLATION_VIEW,
    await hps.installations.unfreezeInstallation({ installation: id }, call.once),
  );
  return 0;
}

/** The installation named outright, or the newest of the host named. */
async function chosen(call: Call): Promise<{ readonly hps: Hps; readonly id: string }> {
  const hps = await call.connect();
  const text = call.operand(0);
  if (isId(text)) return { hps, id: text.toLowerCase() };
  return { hps, id: await newestOf(call, hps, hostReference(text, hps.cluster)) };
}

async function newestOf(call: Call, hps: Hps, host: string): Promise<string> {
  const { installations } = await hps.installations.listInstallations({ host, pageSize: 1 }, call.once);
  const [newest] = installations;
  if (newest !== undefined) return newest.id;
  throw new HpsError("not-found", `host ${host} has had no installation`, { hint: "hpsctl install begins one" });
}
