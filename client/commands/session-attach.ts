/** Taking part in sessions that go on, and ending them. */
import { HpsError } from "../../proto/values/hps-error.ts";
import { printOne } from "../output/print.ts";
import { windowSize } from "../output/raw-terminal.ts";
import { SESSION_VIEW } from "../output/session-view.ts";
import { commandSession } from "../shell/command-session.ts";
import { Connection } from "../shell/connection.ts";
import { parseEscape } from "../shell/escape-option.ts";
import { terminalWish, withoutCode } from "../shell/session-call.ts";
import { terminalSession } from "../shell/terminal-session.ts";
import type { Call } from "./call.ts";
import { confirm } from "./confirm.ts";
import type { AddCommands } from "./group.ts";
import { withYes } from "./options.ts";

const ATTACH_HELP = `
Your own session is yours again, with its screen; if you are in it elsewhere, that place is detached. In another's you watch until
its owner lets you type (~w). Escapes: ~. leaves, ~d detaches, ~? lists them.`;

export const addAttachCommands: AddCommands = (group, tools) => {
  const escapes = ["-e, --escape-char <char>", "what begins an escape: ~, ^], none (default: ~)"] as const;
  group
    .command("attach")
    .description("come back into a session, or ask to type in another's")
    .argument("<session>")
    .option(...escapes)
    .addHelpText("after", ATTACH_HELP)
    .action(tools.run(attach));
  group
    .command("watch")
    .description("see what happens in a session, without typing in it")
    .argument("<session>")
    .option(...escapes)
    .action(tools.run(watch));
  withYes(group.command("kill").description("end a session and what runs in it").argument("<session>"))
    .option("--reason <text>", "who takes part is told, and the audit log")
    .action(tools.run(kill));
};

async function attach(call: Call): Promise<number> {
  const { stdin, stdout } = call.terminal;
  if (stdin.isTTY !== true || stdout.isTTY !== true) {
    throw new HpsError("invalid", "only a terminal can be attached to a session", {
      hint: `to see its output in a pipe: hpsctl session watch ${call.operand(0)}`,
    });
  }
  return await takePart(call, true);
}

async function watch(call: Call): Promise<number> {
  return await takePart(call, false);
}

async function takePart(call: Call, write: boolean): Promise<number> {
  const { terminal } = call;
  const { escapeChar } = call.options<{ escapeChar?: string }>();
  const escapeKey = parseEscape(escapeChar);
  const hps = await call.connect();
  const window = windowSize(terminal);
  const session = call.operand(0);
  const wanted = { session, write, ...(write && { window }) };
  using connection = await Connection.attach(hps, wanted, call.stream);
  const isTerminal = connection.session.command.length === 0;
  return await withoutCode(terminal, async () => {
    if (isTerminal && terminal.stdin.isTTY === true && terminal.stdout.isTTY === true) {
      return await terminalSession(connection, terminalWish(call, hps, connection, { escapeKey, window, write }));
    }
    return await commandSession(terminal, connection, { input: "none" });
  });
}

async function kill(call: Call): Promise<number> {
  const hps = await call.connect();
  const { reason = "" } = call.options<{ reason?: string }>();
  const { id, operator, cluster, host } = await hps.shells.getSession({ session: call.operand(0) }, call.once);
  await confirm(call, `end session ${id} of ${operator} on ${cluster}/${host}`);
  await printOne(call, SESSION_VIEW, await hps.shells.killSession({ session: id, reason }, call.once));
  return 0;
}
