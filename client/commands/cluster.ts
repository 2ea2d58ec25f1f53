import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { Admission, type ClusterSchema } from "../../proto/gen/hps/v1/cluster_pb.ts";
import { parseMirrorUrl } from "../../proto/values/mirror-url.ts";
import { CLUSTER_VIEW } from "../output/cluster-view.ts";
import { note, printList, printOne } from "../output/print.ts";
import { enumNumber } from "../output/words.ts";
import type { Call } from "./call.ts";
import { addClusterKeyCommands } from "./cluster-keys.ts";
import { collect } from "./collect.ts";
import { confirm } from "./confirm.ts";
import { followList } from "./follow-list.ts";
import type { AddCommands, Tools } from "./group.ts";
import { choice, each, type WatchOption, withWatch, withYes } from "./options.ts";
import { type ShellPolicyOptions, shellPolicyOf, withShellPolicy } from "./shell-policy-options.ts";
import { wholeNumber } from "./whole-number.ts";

export const addClusterCommands: AddCommands = (group, tools) => {
  withWatch(group.command("ls").description("list clusters")).action(tools.run(list));
  group.command("get").description("show one cluster").argument("<cluster>").action(tools.run(get));
  addWriters(group, tools);
  addClusterKeyCommands(group, tools);
};

function addWriters(group: Command, tools: Tools): void {
  const settings = (command: Command) =>
    withShellPolicy(command)
      .option("--domain <domain>", "DNS domain of its hosts")
      .addOption(
        choice("--admission <kind>", "armed: the claim of an armed host is enough; approve: an operator compares", [
          "armed",
          "approve",
        ]),
      )
      .option(
        "--image-mirror <url>",
        "where hosts fetch images first, such as https://cache/hps; repeatable; none",
        each,
      )
      .option("--image-keep <count>", "of each image's name keep so many tags, those made or moved last; none: all")
      .option("--description <text>");
  settings(group.command("add").description("add a cluster").argument("<cluster>")).action(tools.run(add));
  settings(group.command("edit").description("change a cluster").argument("<cluster>")).action(tools.run(edit));
  withYes(group.command("rm").description("remove a cluster without hosts").argument("<cluster>")).action(
    tools.run(remove),
  );
}

interface Settings extends ShellPolicyOptions {
  readonly domain?: string;
  readonly admission?: string;
  readonly description?: string;
  readonly imageMirror?: readonly string[];
  readonly imageKeep?: string;
}

async function list(call: Call): Promise<number> {
  const hps = await call.connect();
  const read = () => collect(hps.listClusters(call.once));
  if (call.options<WatchOption>().watch) return followList(call, { view: CLUSTER_VIEW, read });
  await printList(call, CLUSTER_VIEW, await read());
  return 0;
}

async function get(call: Call): Promise<number> {
  const hps = await call.connect();
  await printOne(call, CLUSTER_VIEW, await hps.clusters.getCluster({ name: call.operand(0) }, call.once));
  return 0;
}

async function add(call: Call): Promise<number> {
  const hps = await call.connect();
  const cluster = { name: call.operand(0), ...fieldsOf(call.options<Settings>()) };
  await printOne(call, CLUSTER_VIEW, await hps.clusters.createCluster({ cluster }, call.once));
  return 0;
}

async function edit(call: Call): Promise<number> {
  const hps = await call.connect();
  const fields = fieldsOf(call.options<Settings>());
  const request = { cluster: { name: call.operand(0), ...fields }, updateMask: { paths: pathsOf(fields) } };
  await printOne(call, CLUSTER_VIEW, await hps.clusters.updateCluster(request, call.once));
  return 0;
}

async function remove(call: Call): Promise<number> {
  const name = call.operand(0);
  await confirm(call, `remove cluster ${name}`);
  const hps = await call.connect();
  await hps.clusters.deleteCluster({ name }, call.once);
  await note(call.terminal, `cluster ${name} removed`);
  return 0;
}

type Fields = MessageInitShape<typeof ClusterSchema>;

/** Those fields alone that were given. */
function fieldsOf({ domain, admission, description, imageMirror, imageKeep, ...rest }: Settings): Fields {
  const shellPolicy = shellPolicyOf(rest);
  return {
    ...(domain !== undefined && { domain }),
    ...(admission !== undefined && { admission: admissionOf(admission) }),
    ...(description !== undefined && { description }),
    ...(imageMirror !== undefined && { imageMirrors: mirrorsOf(imageMirror) }),
    ...(imageKeep !== undefined && { imageKeep: imageKeep === "none" ? 0 : wholeNumber(imageKeep) }),
    ...(shellPolicy !== undefined && { shellPolicy }),
  };
}

function mirrorsOf(said: readonly string[]): string[] {
  return said.length === 1 && said[0] === "none" ? [] : said.map(parseMirrorUrl);
}

/** As a mask names them; of the shells' terms one by one, so that the others stay. */
function pathsOf({ shellPolicy, ...fields }: Fields): string[] {
  const policy = Object.keys(shellPolicy ?? {}).map((field) => `shellPolicy.${field}`);
  return [...Object.keys(fields), ...policy].map(snakeCase);
}

function snakeCase(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function admissionOf(word: string): Admission {
  return enumNumber(Admission, word, "a kind of admission");
}
