import type { Command } from "commander";
import { HpsError } from "../../proto/values/hps-error.ts";
import { COLLECTED_VIEW } from "../output/library-view.ts";
import { note, printOne } from "../output/print.ts";
import type { Hps } from "../sdk/connect.ts";
import { clusterOr } from "../sdk/host-names.ts";
import type { Call } from "./call.ts";
import type { Tools } from "./group.ts";

interface LibraryOptions {
  readonly shared?: true;
}

/** Commands about a library as a whole. */
export function addLibraryCommands(group: Command, tools: Tools): void {
  withLibrary(group.command("gc"))
    .description("give back the room of what no image needs any more; hpsd does it every hour")
    .action(tools.run(collectImages));
}

function withLibrary(command: Command): Command {
  return command.option("--shared", "the library that all clusters share");
}

/** It reads what it must: it takes what it takes. Exit code 13 when a pack cannot be read. */
async function collectImages(call: Call): Promise<number> {
  const hps = await call.connect();
  const done = await hps.images.collectImages({ cluster: libraryOf(call, hps) }, call.stream);
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

/** Empty for the shared one. */
function libraryOf(call: Call, hps: Hps): string {
  return call.options<LibraryOptions>().shared === true ? "" : clusterOr(hps.cluster);
}
