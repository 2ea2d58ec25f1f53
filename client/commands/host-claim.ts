import { open, rm } from "node:fs/promises";
import type { Command } from "commander";
import { HpsError } from "../../proto/values/hps-error.ts";
import { note } from "../output/print.ts";
import { timeText } from "../output/words.ts";
import type { Hps } from "../sdk/connect.ts";
import type { Call } from "./call.ts";
import type { Tools } from "./group.ts";
import { chooseHost } from "./host-choice.ts";

/** `host claim`: for a machine that boots from a medium instead of the network. */
export function addHostClaimCommand(group: Command, tools: Tools): void {
  group
    .command("claim")
    .description("write the claim of an armed host into a file, to be carried to its machine; a secret")
    .argument("<host>", "HOST, CLUSTER/HOST or id")
    .requiredOption("--out <file>", "a file that does not exist yet")
    .action(tools.run(claim));
}

/** The id of the installation that holds a host; `precondition` when there is none. */
export async function openInstallation(call: Call, hps: Hps): Promise<string> {
  const host = await hps.hosts.getHost({ host: await chooseHost(call) }, call.once);
  if (host.installation !== "") return host.installation;
  throw new HpsError("precondition", `host ${host.cluster}/${host.name} has no open installation`, {
    hint: "arm it first: hpsctl host arm",
  });
}

/** The file is made first: a claim that could not be written would be lost, and the one before it void. Without a claim it goes again. */
async function claim(call: Call): Promise<number> {
  const hps = await call.connect();
  const installation = await openInstallation(call, hps);
  const { out } = call.options<{ out: string }>();
  await using file = await open(out, "wx", 0o600).catch((cause: unknown) => {
    throw noFile(out, cause);
  });
  const issued = await hps.installations.issueClaim({ installation }, call.once).catch(async (error: unknown) => {
    await rm(out, { force: true });
    throw error;
  });
  await file.writeFile(issued.claim);
  await file.sync();
  await note(call.terminal, `wrote ${out}: good for one machine, once, until ${timeText(issued.expireTime)}`);
  return 0;
}

function noFile(out: string, cause: unknown): HpsError {
  const exists = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
  return exists
    ? new HpsError("exists", `the file ${out} exists already`, { hint: "name one that does not exist yet", cause })
    : new HpsError("invalid", `cannot make the file ${out}`, {
        hint: "does its folder exist, and may you write there?",
        cause,
      });
}
