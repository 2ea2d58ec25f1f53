import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { Role } from "../../proto/gen/hps/v1/access_pb.ts";
import { type GrantSchema, ShellPermission } from "../../proto/gen/hps/v1/grant_pb.ts";
import { parseDuration } from "../../proto/values/duration.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseTag } from "../../proto/values/tag.ts";
import { GRANT_VIEW } from "../output/grant-view.ts";
import { note, printList, printOne } from "../output/print.ts";
import { enumNumber } from "../output/words.ts";
import { clusterOr, splitCluster } from "../sdk/host-names.ts";
import type { Call } from "./call.ts";
import { collect } from "./collect.ts";
import { followList } from "./follow-list.ts";
import type { AddCommands } from "./group.ts";
import { choice, each, type WatchOption, withAllClusters, withWatch } from "./options.ts";

const ADD_HELP = `
A grant adds to a role in the cluster, viewer is enough, and never takes away. For example:
  hpsctl grant add --operator bob --host lab/web01 --can enter --for 8h --reason "disk of web01"
  hpsctl grant add --role viewer --tag env=dev --can watch
  hpsctl grant add --role operator --all-hosts --can enter --cluster lab`;

export const addGrantCommands: AddCommands = (group, tools) => {
  withAllClusters(withWatch(group.command("ls").description("list grants, newest first"))).action(tools.run(list));
  const add = group
    .command("add")
    .description("let somebody enter or watch shells")
    .option("--operator <operator>", "to this operator")
    .addOption(choice("--role <role>", "to all who have at least this role", ["viewer", "operator", "admin"]))
    .option("--host <host>", "on this host: HOST or CLUSTER/HOST")
    .option("--tag <key=value>", "on hosts that have this tag; given again: all of them", each)
    .option("--all-hosts", "on every host of the cluster, now and later");
  withTerms(add).addHelpText("after", ADD_HELP).action(tools.run(create));
  group
    .command("rm")
    .description("take grants back; sessions that only they let in end")
    .argument("<grant...>", "ids")
    .action(tools.run(remove));
};

function withTerms(command: Command): Command {
  return command
    .addOption(choice("--can <what>", "watch, or enter (which includes it)", ["watch", "enter"]).makeOptionMandatory())
    .option("--for <duration>", "how long it holds, such as 8h or 30d (default: until it is removed)")
    .option("--reason <text>", "why; goes to the audit log");
}

interface AddOptions {
  readonly operator?: string;
  readonly role?: string;
  readonly host?: string;
  readonly tag?: readonly string[];
  readonly allHosts?: true;
  readonly can: string;
  readonly for?: string;
  readonly reason?: string;
}

async function list(call: Call): Promise<number> {
  const hps = await call.connect();
  const request = { cluster: await call.listedCluster() };
  const read = () => collect(hps.listGrants(request, call.once));
  if (call.options<WatchOption>().watch) return followList(call, { view: GRANT_VIEW, read });
  await printList(call, GRANT_VIEW, await read());
  return 0;
}

async function create(call: Call): Promise<number> {
  const said = call.options<AddOptions>();
  const hps = await call.connect();
  const { prefix, rest } = said.host === undefined ? { rest: "" } : splitCluster(said.host);
  const grant = {
    cluster: clusterOr(prefix ?? hps.cluster),
    grantee: granteeOf(said),
    hosts: hostsOf(said, rest),
    permission: enumNumber(ShellPermission, said.can, "a permission"),
    reason: said.reason ?? "",
    ...(said.for !== undefined && { expireTime: timestampFromMs(call.terminal.now() + parseDuration(said.for)) }),
  };
  await printOne(call, GRANT_VIEW, await hps.grants.createGrant({ grant }, call.once));
  return 0;
}

async function remove(call: Call): Promise<number> {
  const hps = await call.connect();
  for (const grant of call.operands) {
    await hps.grants.deleteGrant({ grant }, call.once);
    await note(call.terminal, `grant ${grant} removed`);
  }
  return 0;
}

type Fields = NonNullable<MessageInitShape<typeof GrantSchema>>;

function granteeOf({ operator, role }: AddOptions): NonNullable<Fields["grantee"]> {
  if ((operator === undefined) === (role === undefined)) throw oneOf("--operator or --role");
  return role === undefined
    ? { case: "operator", value: operator ?? "" }
    : { case: "role", value: enumNumber(Role, role, "a role") };
}

function hostsOf({ host, tag = [], allHosts }: AddOptions, name: string): NonNullable<Fields["hosts"]> {
  const said = [host !== undefined, tag.length > 0, allHosts === true].filter(Boolean);
  if (said.length !== 1) throw oneOf("--host, --tag or --all-hosts");
  if (allHosts) return { case: "allHosts", value: true };
  if (host !== undefined) return { case: "host", value: name };
  return { case: "tags", value: { tags: Object.fromEntries(tag.map(parseTag).map(({ key, value }) => [key, value])) } };
}

function oneOf(options: string): HpsError {
  return new HpsError("invalid", `a grant needs just one of ${options}`, { hint: "hpsctl grant add --help" });
}
