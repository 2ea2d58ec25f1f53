import type { Command } from "commander";
import type { Tools } from "./group.ts";
import { choice } from "./options.ts";
import { withStoreOptions } from "./store-options.ts";
import { wholeNumber } from "./whole-number.ts";

const HELP = `
Takes archives (.tar, plain or compressed by zstd, xz or gzip), folders (whose files root alone may read all), container images (an OCI
layout, or an archive of one, docker's too) and disks (raw, qcow2; read in a virtual machine that an installer set starts); which it is,
is guessed from what is there. What the image lacks to be installed, a kernel, an initrd or an init, is said and recorded. Only what the
library has not yet is sent. The same tree is the same image, whatever it came from; another one needs another tag, or --move.
  hpsctl image import debian/web:12.1 debian-web_12.1.tar.zst
  hpsctl image import debian/web:12.2 /srv/chroots/web
  hpsctl image import web:3 web.oci.tar --platform linux/amd64
  hpsctl image import golden:1 golden.qcow2 --installer installer`;

/** `image import`. */
export function addImageImportCommand(group: Command, tools: Tools): void {
  const command = group
    .command("import")
    .description("bring a file tree into a library")
    .argument("<name:tag>", "or shared/name:tag, for all clusters")
    .argument("<source>", "archive, folder, container image or disk")
    .addOption(
      choice("--from <kind>", "what the source is, when that is not to be guessed", ["tar", "dir", "oci", "disk"]),
    )
    .option("--platform <os/architecture>", "which image of a container image", "linux/amd64")
    .option("--oci-name <name>", "which image of a layout that holds several")
    .option("--installer <folder>", "installer set, whose system reads a disk in a virtual machine")
    .option("--partition <number>", "which partition of a disk holds the system, where several do", wholeNumber)
    .option("--archive", "keep the archive as it is, as one file");
  withStoreOptions(command)
    .addHelpText("after", HELP)
    .action(tools.run(async (call) => (await import("./image-import.ts")).importImage(call)));
}
