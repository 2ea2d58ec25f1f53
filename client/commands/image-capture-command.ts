import type { Command } from "commander";
import type { Tools } from "./group.ts";
import { each } from "./options.ts";
import { withStoreOptions } from "./store-options.ts";

const HELP = `
The host's agent reads its root and boot file systems while the host runs, and leaves out what belongs to this machine alone: host keys,
machine id, HPS's own files, private keys and credentials, logs, leases, histories, caches. What was left out is said; docs/images.md
lists it. A file that changes while it is read ends the capture by name: stop what writes there, or leave it out.
  hpsctl image capture web01 debian/web:golden --exclude 'srv/data/**'`;

/** `image capture`. */
export function addImageCaptureCommand(group: Command, tools: Tools): void {
  const command = group
    .command("capture")
    .description("make an image of a running host")
    .argument("<host>", "HOST, CLUSTER/HOST or id")
    .argument("<name:tag>")
    .option("--exclude <pattern>", "leave it out too: srv/data/**; may be given again", each)
    .option("--mount <folder>", "another file system that belongs to the system: /usr; may be given again", each)
    .option("--reason <text>", "why; goes to the audit log")
    .option("--wait <duration>", "for an agent to attach, at most so long");
  withStoreOptions(command)
    .addHelpText("after", HELP)
    .action(tools.run(async (call) => (await import("./image-capture.ts")).captureImage(call)));
}
