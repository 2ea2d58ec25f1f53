import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { CreateSessionLinkResponseSchema } from "../../proto/gen/hps/v1/shell_pb.ts";
import { parseDuration } from "../../proto/values/duration.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { note, printValue, protoJson } from "../output/print.ts";
import { write } from "../output/terminal.ts";
import { timeText } from "../output/words.ts";
import type { Call } from "./call.ts";
import type { Tools } from "./group.ts";
import { chooseHost } from "./host-choice.ts";

interface LinkOptions {
  readonly write?: true;
  readonly session?: string;
  readonly validity?: string;
  readonly reason?: string;
}

/** `session link`: for somebody who has a browser and no certificate. */
export function addSessionLinkCommand(group: Command, tools: Tools): void {
  group
    .command("link")
    .description("make an address that shows a host's terminal in a browser, once, in your name; a secret")
    .argument("<host>", "HOST, CLUSTER/HOST or id")
    .option("--write", "it opens a shell; without, it only watches one that is open")
    .option("--session <id>", "which to watch (default: the newest when the link is used)")
    .option("--validity <duration>", "how long it is good: 10s to 10m (default: 10m)")
    .option("--reason <text>", "why; goes to the audit log")
    .action(tools.run(link));
}

async function link(call: Call): Promise<number> {
  const hps = await call.connect();
  const { write: writes = false, session = "", validity, reason = "" } = call.options<LinkOptions>();
  const request = {
    ...{ host: await chooseHost(call), write: writes, session, reason },
    ...(validity !== undefined && { validity: durationFromMs(parseDuration(validity)) }),
  };
  const answer = await hps.shells.createSessionLink(request, call.once);
  if (call.format === "json" || call.format === "yaml") {
    await printValue(call, protoJson(CreateSessionLinkResponseSchema)(answer));
    return 0;
  }
  const what = writes ? "opens a shell there" : "shows a shell there";
  await note(call.terminal, `this address ${what} in your name, once, until ${timeText(answer.expireTime)}:`);
  await write(call.terminal.stdout, `${safeText(answer.url)}\n`);
  return 0;
}
