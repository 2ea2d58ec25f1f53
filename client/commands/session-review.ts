/** `hpsctl session approve` and `deny`: another operator's word on a session that waits for it. */
import type { Command } from "commander";
import { note } from "../output/print.ts";
import type { Call } from "./call.ts";
import type { Tools } from "./group.ts";

export function addReviewCommands(group: Command, tools: Tools): void {
  group
    .command("approve")
    .description("let another operator's session that waits for approval begin")
    .argument("<session>", "id, as that operator was told")
    .option("--reason <text>", "why; goes to the audit log")
    .action(tools.run((call) => review(call, false)));
  group
    .command("deny")
    .description("refuse another operator's session that waits for approval")
    .argument("<session>", "id, as that operator was told")
    .option("--reason <text>", "why; that operator is told, and the audit log")
    .action(tools.run((call) => review(call, true)));
}

async function review(call: Call, deny: boolean): Promise<number> {
  const hps = await call.connect();
  const { reason = "" } = call.options<{ reason?: string }>();
  const { operator, host } = await hps.shells.approveSession({ session: call.operand(0), deny, reason }, call.once);
  await note(call.terminal, `${operator}'s session on ${host} is ${deny ? "denied" : "approved"}`);
  return 0;
}
