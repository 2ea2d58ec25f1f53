/** What can be said when a host is armed, for every command that arms one. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import type { ArmHostRequestSchema, Host } from "../../proto/gen/hps/v1/host_pb.ts";
import { parseDiskRule } from "../../proto/values/disk-rule.ts";
import { parseDuration } from "../../proto/values/duration.ts";
import { parseImageRef } from "../../proto/values/image-ref.ts";
import { parseSize, roundSize } from "../../proto/values/size.ts";
import { hostName } from "../output/host-view.ts";
import { note } from "../output/print.ts";
import type { Call } from "./call.ts";
import { confirm } from "./confirm.ts";
import { each } from "./options.ts";

export interface ArmOptions {
  readonly window?: string;
  readonly image?: string;
  readonly wipe?: true;
  readonly wipeDisk?: readonly string[];
  readonly disk?: string;
  readonly rootSize?: string;
}

export function withWindow(command: Command): Command {
  return command.option(
    "--window <duration>",
    "how long a machine may begin: 30m, 2h; 1 minute to 7 days (default: 1h)",
  );
}

/** What and where to install. */
export function withTarget(command: Command): Command {
  return withWipe(command)
    .option(
      "--disk <rule>",
      "which disk: serial=…, wwn=…, path=…, size>=200GB, smallest, largest (default: the one fixed disk)",
    )
    .option("--root-size <size>", "of each root file system (default: 8GiB, or twice the image)");
}

export function withWipe(command: Command): Command {
  return command
    .option("--wipe", "the chosen disk may be wiped although it holds data")
    .option("--wipe-disk <serial>", "only the disk of this serial number may be wiped; may be given again", each);
}

type ArmWish = Omit<MessageInitShape<typeof ArmHostRequestSchema>, "host" | "$typeName">;

/** The request but for its host; what is wrong is refused here, before anything is armed. */
export function armWishOf({ window, image, wipe, wipeDisk, disk, rootSize }: ArmOptions): ArmWish {
  if (disk !== undefined) parseDiskRule(disk);
  return {
    image: image === undefined ? "" : parseImageRef(image),
    wipeDiskSerials: [...(wipeDisk ?? [])],
    storage: {
      disk: disk ?? "",
      rootSizeBytes: rootSize === undefined ? 0n : BigInt(parseSize(rootSize)),
      wipe: wipe ?? false,
    },
    ...(window !== undefined && { window: durationFromMs(parseDuration(window)) }),
  };
}

/** Hosts named in a question before the rest is counted. */
const SHOWN = 8;

/** Asks before data may be lost, and says first what disks hpsd has seen in each host. */
export async function confirmWipe(call: Call, hosts: readonly Host[]): Promise<void> {
  for (const host of hosts.slice(0, SHOWN)) await note(call.terminal, `${hostName(host)}: ${disksText(host)}`);
  const names = hosts.slice(0, SHOWN).map(hostName).join(", ");
  const more = hosts.length > SHOWN ? ` and ${hosts.length - SHOWN} more` : "";
  await confirm(call, `let the disk that is chosen be wiped, whatever it holds, on ${names}${more}`);
}

function disksText({ facts }: Host): string {
  const disks = (facts?.disks ?? []).map(({ name, model, serial, sizeBytes }) => {
    const what = [model, serial === "" ? "" : `serial ${serial}`].filter((part) => part !== "").join(", ");
    return `${name} ${roundSize(Number(sizeBytes))}${what === "" ? "" : ` (${what})`}`;
  });
  return disks.length === 0 ? "its disks are not known yet" : disks.join("; ");
}
