import { Option } from "commander";
import { withTarget, withWindow } from "./arm-options.ts";
import type { AddCommands } from "./group.ts";
import { withNetwork } from "./host-network.ts";
import { withYes } from "./options.ts";

const HELP = `
What can be refused is refused before anything is armed; without --wipe or --wipe-disk a disk that holds data is left alone.
With --watch the exit code tells how it ended: 0 installed, 7 waits for an operator (failed, interrupted, frozen), 9 no machine came
in time, 10 cancelled. Ctrl-C leaves what was begun running.
  hpsctl install web01 --image debian/base:12 --watch
  hpsctl install 'web[01-20]' --image debian/base:12 --wipe --yes --reboot --watch
  hpsctl install db01 --image debian/base:12 --disk 'size>=400GB,smallest' --root-size 32GiB --network static`;

/** `hpsctl install`. */
export const describeInstall: AddCommands = (command, tools) => {
  command
    .argument("<hosts...>", "HOST, CLUSTER/HOST, web[01-20], @tag")
    .requiredOption("--image <name:tag>", "what to install")
    .option("-w, --watch", "follow until they are installed, or wait for an operator")
    .addOption(new Option("--wait").implies({ watch: true }).hideHelp())
    .option("--reboot", "restart an installed system into the network, through its agent")
    .option("--no-reboot", "leave it running, and do not ask");
  withYes(withNetwork(withTarget(withWindow(command))))
    .addHelpText("after", HELP)
    .action(tools.run(async (call) => (await import("./install.ts")).install(call)));
};
