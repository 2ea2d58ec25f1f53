/** The options of `hpsctl cluster add` and `edit` that say who may enter shells, and on which terms. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { ShellAccess, type ShellPolicySchema } from "../../proto/gen/hps/v1/cluster_pb.ts";
import { parseDuration } from "../../proto/values/duration.ts";
import { enumNumber } from "../output/words.ts";
import { choice } from "./options.ts";

export interface ShellPolicyOptions {
  readonly shellAccess?: string;
  readonly shellReason?: string;
  readonly shellApproval?: string;
  readonly shellTimeLimit?: string;
  readonly shellIdleLimit?: string;
  readonly shellInput?: string;
  readonly shellRecording?: string;
  readonly shellDirect?: string;
}

const NONE = "none";

export function withShellPolicy(command: Command): Command {
  return command
    .addOption(choice("--shell-access <how>", "role: operators enter; grant: nobody without one", ["role", "grant"]))
    .addOption(choice("--shell-reason <rule>", "whether a session needs --reason", ["required", "optional"]))
    .addOption(choice("--shell-approval <rule>", "whether another operator approves first", ["required", NONE]))
    .option("--shell-time-limit <duration>", "longest session, such as 8h, or none")
    .option("--shell-idle-limit <duration>", "a terminal ends when nobody types so long, or none")
    .addOption(choice("--shell-input <rule>", "whether what is typed is recorded too", ["recorded", "unrecorded"]))
    .addOption(choice("--shell-recording <rule>", "strict: no shell without; any: as hpsd says", ["strict", "any"]))
    .addOption(choice("--shell-direct <rule>", "on: hosts let in themselves while hpsd is down", ["on", "off"]));
}

/** Those fields alone that were given; undefined for none. */
export function shellPolicyOf(said: ShellPolicyOptions): MessageInitShape<typeof ShellPolicySchema> | undefined {
  const fields = {
    ...(said.shellAccess !== undefined && { access: enumNumber(ShellAccess, said.shellAccess, "shell access") }),
    ...(said.shellReason !== undefined && { reasonRequired: said.shellReason === "required" }),
    ...(said.shellApproval !== undefined && { approvalRequired: said.shellApproval === "required" }),
    ...(said.shellTimeLimit !== undefined && { timeLimit: limitOf(said.shellTimeLimit) }),
    ...(said.shellIdleLimit !== undefined && { idleLimit: limitOf(said.shellIdleLimit) }),
    ...(said.shellInput !== undefined && { recordInput: said.shellInput === "recorded" }),
    ...(said.shellRecording !== undefined && { strictRecording: said.shellRecording === "strict" }),
    ...(said.shellDirect !== undefined && { direct: said.shellDirect === "on" }),
  };
  return Object.keys(fields).length === 0 ? undefined : fields;
}

function limitOf(text: string) {
  return durationFromMs(text === NONE ? 0 : parseDuration(text));
}
