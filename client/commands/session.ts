import { printList, printOne } from "../output/print.ts";
import { SESSION_VIEW } from "../output/session-view.ts";
import type { Call } from "./call.ts";
import { collect } from "./collect.ts";
import { followList } from "./follow-list.ts";
import type { AddCommands } from "./group.ts";
import { type WatchOption, withAllClusters, withWatch } from "./options.ts";
import { addAttachCommands } from "./session-attach.ts";
import { addSessionLinkCommand } from "./session-link.ts";
import { addRecordingCommands } from "./session-recording.ts";
import { addReviewCommands } from "./session-review.ts";
import { wholeNumber } from "./whole-number.ts";

export const addSessionCommands: AddCommands = (group, tools) => {
  withAllClusters(withWatch(group.command("ls").description("list shell sessions, newest first")))
    .option("--open", "only those that go on")
    .option("--limit <count>", "at most so many", "100")
    .action(tools.run(list));
  group.command("get").description("show one session").argument("<session>").action(tools.run(get));
  addAttachCommands(group, tools);
  addRecordingCommands(group, tools);
  addReviewCommands(group, tools);
  addSessionLinkCommand(group, tools);
};

async function list(call: Call): Promise<number> {
  const hps = await call.connect();
  const { open = false, limit, watch } = call.options<{ open?: true; limit: string } & WatchOption>();
  const most = wholeNumber(limit);
  const request = { cluster: await call.listedCluster(), openOnly: open };
  const read = () => collect(hps.listSessions(request, call.once), most);
  if (watch) return followList(call, { view: SESSION_VIEW, read });
  await printList(call, SESSION_VIEW, await read());
  return 0;
}

async function get(call: Call): Promise<number> {
  const hps = await call.connect();
  await printOne(call, SESSION_VIEW, await hps.shells.getSession({ session: call.operand(0) }, call.once));
  return 0;
}
