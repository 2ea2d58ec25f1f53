import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { Role } from "../../proto/gen/hps/v1/access_pb.ts";
import { type InviteOperatorResponse, InviteOperatorResponseSchema } from "../../proto/gen/hps/v1/identity_pb.ts";
import { parseDuration } from "../../proto/values/duration.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote, safeText } from "../../proto/values/safe-text.ts";
import { OPERATOR_VIEW } from "../output/identity-view.ts";
import { note, printList, printOne, printValue, protoJson } from "../output/print.ts";
import { write } from "../output/terminal.ts";
import { enumNumber, timeText } from "../output/words.ts";
import { readProfile } from "../sdk/profile.ts";
import type { Call } from "./call.ts";
import { collect } from "./collect.ts";
import { confirm } from "./confirm.ts";
import { followList } from "./follow-list.ts";
import type { AddCommands, Tools } from "./group.ts";
import { each, type WatchOption, withWatch, withYes } from "./options.ts";

export const addOperatorCommands: AddCommands = (group, tools) => {
  withWatch(group.command("ls").description("list operators")).action(tools.run(list));
  group.command("get").description("show one operator").argument("<operator>").action(tools.run(get));
  addWriters(group, tools);
};

const ROLE = "viewer, operator or admin in a cluster, or * for all: lab=operator; may be given again";

function addWriters(group: Command, tools: Tools): void {
  group
    .command("invite")
    .description("make a one-time token with which an operator logs in")
    .argument("<operator>", "name; made when there is none")
    .option("--role <cluster=role>", `of a new operator: ${ROLE}`, each)
    .option("--validity <duration>", "how long the token is good: 1m to 7d (default: 1d)")
    .action(tools.run(invite));
  group
    .command("set-roles")
    .description("replace an operator's roles, from its next call on")
    .argument("<operator>")
    .requiredOption("--role <cluster=role>", ROLE, each)
    .action(tools.run(setRoles));
  withYes(
    group.command("rm").description("remove an operator and revoke its certificates").argument("<operator>"),
  ).action(tools.run(remove));
}

async function list(call: Call): Promise<number> {
  const hps = await call.connect();
  const read = () => collect(hps.listOperators(call.once));
  if (call.options<WatchOption>().watch) return followList(call, { view: OPERATOR_VIEW, read });
  await printList(call, OPERATOR_VIEW, await read());
  return 0;
}

async function get(call: Call): Promise<number> {
  const hps = await call.connect();
  await printOne(call, OPERATOR_VIEW, await hps.identity.getOperator({ name: call.operand(0) }, call.once));
  return 0;
}

interface InviteOptions {
  readonly role?: readonly string[];
  readonly validity?: string;
}

async function invite(call: Call): Promise<number> {
  const hps = await call.connect();
  const { role = [], validity } = call.options<InviteOptions>();
  const request = {
    name: call.operand(0),
    roles: role.map(parseRole),
    ...(validity !== undefined && { validity: durationFromMs(parseDuration(validity)) }),
  };
  const answer = await hps.identity.inviteOperator(request, call.once);
  if (call.format === "json" || call.format === "yaml") {
    await printValue(call, protoJson(InviteOperatorResponseSchema)(answer));
  } else {
    await printInvitation(call, answer);
  }
  return 0;
}

/** The line to run is the output; what is said about it goes beside. */
async function printInvitation(call: Call, answer: InviteOperatorResponse): Promise<void> {
  const { https } = await readProfile(call.contextChoice);
  const who = answer.operator?.name ?? call.operand(0);
  await note(call.terminal, `${who} logs in with this line, once, until ${timeText(answer.expireTime)}:`);
  await write(call.terminal.stdout, `hpsctl login ${https ?? "https://HPSD:7444"} --token ${safeText(answer.token)}\n`);
}

async function setRoles(call: Call): Promise<number> {
  const hps = await call.connect();
  const roles = call.options<{ role: readonly string[] }>().role.map(parseRole);
  const request = { name: call.operand(0), roles };
  await printOne(call, OPERATOR_VIEW, await hps.identity.setOperatorRoles(request, call.once));
  return 0;
}

async function remove(call: Call): Promise<number> {
  const name = call.operand(0);
  await confirm(call, `remove operator ${name} and revoke its certificates`);
  const hps = await call.connect();
  await hps.identity.deleteOperator({ name }, call.once);
  await note(call.terminal, `operator ${name} removed`);
  return 0;
}

/** `lab=operator`, `*=admin`. */
function parseRole(text: string) {
  const [, cluster, word] = /^([^=]+)=([^=]+)$/.exec(text) ?? [];
  if (cluster === undefined || word === undefined) {
    throw new HpsError("invalid", `not a role: ${quote(text)}`, { hint: "write it as lab=operator, or *=viewer" });
  }
  return { cluster, role: enumNumber(Role, word, "a role") };
}
