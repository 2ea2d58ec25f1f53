import type { Command } from "commander";
import { parseImageName } from "../../proto/values/image-ref.ts";
import { IMAGE_VIEW } from "../output/image-view.ts";
import { note, printList, printOne } from "../output/print.ts";
import { clusterOr } from "../sdk/host-names.ts";
import type { Call } from "./call.ts";
import { collect } from "./collect.ts";
import { confirm } from "./confirm.ts";
import { followList } from "./follow-list.ts";
import type { AddCommands, Tools } from "./group.ts";
import { addImageBuildCommand } from "./image-build.ts";
import { addImageCaptureCommand } from "./image-capture-command.ts";
import { addImageImportCommand } from "./image-import-command.ts";
import { addLibraryCommands } from "./image-library.ts";
import { imageRequest } from "./image-request.ts";
import { addImageSignCommand } from "./image-sign.ts";
import { type WatchOption, withAllClusters, withWatch, withYes } from "./options.ts";
import { expireTimeOf, type StoreOptions } from "./store-options.ts";

const IMAGE = "name:tag, shared/name:tag or sha256:DIGEST";

export const addImageCommands: AddCommands = (group, tools) => {
  addReaders(group, tools);
  addImageBuildCommand(group, tools);
  addImageImportCommand(group, tools);
  addImageCaptureCommand(group, tools);
  addImageSignCommand(group, tools);
  group
    .command("diff")
    .description("what an update from one image to another changes, and what it would transfer")
    .argument("<image>", IMAGE)
    .argument("<image-after>", IMAGE)
    .option("--files", "list the files too")
    .action(tools.run(async (call) => (await import("./image-diff.ts")).diffImages(call)));
  group
    .command("tag")
    .description("give an image one more name")
    .argument("<image>", IMAGE)
    .argument("<name:tag>")
    .option("--move", "the name may be another image's: it is moved")
    .option("--expires <duration>", "the name goes after so long, when nothing uses the image: 30d")
    .action(tools.run(tag));
  withYes(group.command("rm").description("remove an image; hosts installed from it stay as they are"))
    .argument("<image>", "name:tag or shared/name:tag")
    .action(tools.run(remove));
  addLibraryCommands(group, tools);
};

function addReaders(group: Command, tools: Tools): void {
  withAllClusters(withWatch(group.command("ls").description("list images"))).action(tools.run(list));
  group.command("get").description("show one image").argument("<image>", IMAGE).action(tools.run(get));
}

async function list(call: Call): Promise<number> {
  const hps = await call.connect();
  const cluster = await call.listedCluster();
  const read = () => collect(hps.listImages({ cluster }, call.once));
  if (call.options<WatchOption>().watch) return followList(call, { view: IMAGE_VIEW, read });
  await printList(call, IMAGE_VIEW, await read());
  return 0;
}

async function get(call: Call): Promise<number> {
  const { hps, request } = await named(call);
  await printOne(call, IMAGE_VIEW, await hps.images.getImage(request, call.once));
  return 0;
}

async function remove(call: Call): Promise<number> {
  const { hps, request } = await named(call);
  const library = request.cluster === "" ? "the shared library" : `cluster ${request.cluster}`;
  await confirm(call, `remove image ${request.name} of ${library}`);
  await hps.images.deleteImage(request, call.once);
  await note(call.terminal, `image ${request.name} removed`);
  return 0;
}

async function named(call: Call) {
  const hps = await call.connect();
  return { hps, request: imageRequest(hps, call.operand(0)) };
}

async function tag(call: Call): Promise<number> {
  const { hps, request } = await named(call);
  const { name, shared } = parseImageName(call.operand(1));
  const cluster = shared ? "" : clusterOr(hps.cluster);
  const { move = false, expires } = call.options<StoreOptions>();
  const expireTime = expireTimeOf(call, expires);
  const wish = { cluster, image: request.name, name, move, ...(expireTime && { expireTime }) };
  await printOne(call, IMAGE_VIEW, await hps.images.tagImage(wish, call.once));
  return 0;
}
