import type { Command } from "commander";
import { VerifiedKind, VerifiedState, type VerifyImagesResponse } from "../../proto/gen/hps/v1/image_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseImageRef } from "../../proto/values/image-ref.ts";
import { roundSize } from "../../proto/values/size.ts";
import { COLLECTED_VIEW, COLLECTING_VIEW, DELTA_VIEW, VERIFIED_VIEW } from "../output/library-view.ts";
import { note, printList, printOne } from "../output/print.ts";
import type { Hps } from "../sdk/connect.ts";
import { clusterOr } from "../sdk/host-names.ts";
import type { Call } from "./call.ts";
import type { Tools } from "./group.ts";
import { imageRequest } from "./image-request.ts";
import { wholeNumber } from "./whole-number.ts";

const KEEP_HINT = "hpsctl cluster edit CLUSTER --image-keep COUNT sets the rule of a cluster's library";

interface LibraryOptions {
  readonly shared?: true;
}

interface CollectOptions {
  readonly dryRun?: true;
  readonly keep?: string;
}

/** Commands about a library as a whole. */
export function addLibraryCommands(group: Command, tools: Tools): void {
  withLibrary(group.command("gc"))
    .description(
      "take away names whose time has come, and give back the room of what no image needs; hpsd does it hourly",
    )
    .option("--dry-run", "change nothing, and say which names would go")
    .option("--keep <count>", "with --dry-run: as if the newest so many tags of each name were kept")
    .action(tools.run(collectImages));
  group
    .command("delta")
    .description("make what turns one image into another, for hosts that have the first; hpsd does it for each new tag")
    .argument("<base>", "name:tag, shared/name:tag or sha256:DIGEST")
    .argument("<target>", "the same")
    .action(tools.run(makeDelta));
  withLibrary(group.command("verify"))
    .description("read all that a library holds, and say what is damaged and what to do")
    .action(tools.run(verifyImages));
}

function withLibrary(command: Command): Command {
  return command.option("--shared", "the library that all clusters share");
}

/** It takes what it takes. */
async function makeDelta(call: Call): Promise<number> {
  const hps = await call.connect();
  const [base, target] = [parseImageRef(call.operand(0)), parseImageRef(call.operand(1))];
  const { cluster } = imageRequest(hps, target);
  await printOne(call, DELTA_VIEW, await hps.images.makeDelta({ cluster, base, target }, call.stream));
  return 0;
}

/** It reads what it must: it takes what it takes. Exit code 13 when a pack cannot be read. */
async function collectImages(call: Call): Promise<number> {
  const { dryRun = false, keep } = call.options<CollectOptions>();
  if (keep !== undefined && !dryRun) throw new HpsError("invalid", "--keep is for --dry-run", { hint: KEEP_HINT });
  const hps = await call.connect();
  const asked = { cluster: libraryOf(call, hps), dryRun, keep: keep === undefined ? 0 : wholeNumber(keep) };
  const done = await hps.images.collectImages(asked, call.stream);
  if (dryRun) {
    await printOne(call, COLLECTING_VIEW, done);
    return 0;
  }
  await printOne(call, COLLECTED_VIEW, done);
  if (done.waitingBytes > 0n) {
    await note(
      call.terminal,
      "what is retired stays for an hour, and as long as an installation that began before goes on",
    );
  }
  const [first] = done.damagedPacks;
  if (first === undefined) return 0;
  throw new HpsError("data-loss", `pack ${first} cannot be read, and was left as it is`, {
    hint: "hpsctl image verify says which images need it, and what to do",
  });
}

/** As `collectImages`: exit code 13 when anything is wrong. */
async function verifyImages(call: Call): Promise<number> {
  const hps = await call.connect();
  const request = { cluster: libraryOf(call, hps) };
  const [wrong, orphans]: [VerifyImagesResponse[], VerifyImagesResponse[]] = [[], []];
  let [count, bytes, arriving] = [0, 0, 0];
  for await (const found of hps.images.verifyImages(request, call.stream)) {
    if (found.state === VerifiedState.ORPHAN) orphans.push(found);
    if (found.state === VerifiedState.ARRIVING) arriving += 1;
    if (found.state === VerifiedState.ORPHAN || found.state === VerifiedState.ARRIVING) continue;
    count += 1;
    if (found.kind !== VerifiedKind.IMAGE) bytes += Number(found.sizeBytes);
    if (found.state !== VerifiedState.WHOLE) wrong.push(found);
  }
  await printList(call, VERIFIED_VIEW, [...wrong, ...orphans]);
  await note(call.terminal, `${count} files and images verified, ${roundSize(bytes)}; ${wrong.length} are not whole`);
  const size = roundSize(orphans.reduce((sum, { sizeBytes }) => sum + Number(sizeBytes), 0));
  if (orphans.length > 0) await note(call.terminal, `${filesText(orphans.length)} that nothing names, ${size}`);
  if (arriving > 0) await note(call.terminal, `${filesText(arriving)} on the way: they are being made just now`);
  if (wrong.length === 0) return 0;
  throw new HpsError("data-loss", `${wrong.length} of ${count} files and images are not whole`, {
    hint: hintFor(wrong),
  });
}

function filesText(count: number): string {
  return count === 1 ? "1 file is there" : `${count} files are there`;
}

function hintFor(wrong: readonly VerifyImagesResponse[]): string {
  if (wrong.every(({ state }) => state === VerifiedState.UNREAD)) return "look at hpsd's disk, and verify again";
  const images = [...new Set(wrong.flatMap((found) => found.images))];
  if (images.length === 0) return "no image needs it: hpsctl image gc removes it";
  const named = images.slice(0, 5).join(", ");
  const more = images.length > 5 ? ` and ${images.length - 5} more` : "";
  return `import ${named}${more} again, each under its name: what is damaged is stored again`;
}

/** Empty for the shared one. */
function libraryOf(call: Call, hps: Hps): string {
  return call.options<LibraryOptions>().shared === true ? "" : clusterOr(hps.cluster);
}
