/** A cluster's terms for shells, as the contract has them. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import {
  type ShellPolicy as PolicyMessage,
  ShellAccess,
  ShellPolicySchema,
} from "../../proto/gen/hps/v1/cluster_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { ShellPolicy } from "../core/shells/shell-policy.ts";
import { wordOf } from "./fields.ts";

const SHORTEST_LIMIT = 1000;
const LONGEST_LIMIT = 7 * 86_400_000;
const ACCESS = { role: ShellAccess.ROLE, grant: ShellAccess.GRANT } as const;

/** One reader a field, so that an update reads only those it changes. */
const READ = {
  access: ({ access }) => ({ access: access === ShellAccess.UNSPECIFIED ? "role" : wordOf(ACCESS, access, "access") }),
  reason_required: ({ reasonRequired }) => ({ reasonRequired }),
  approval_required: ({ approvalRequired }) => ({ approvalRequired }),
  time_limit: ({ timeLimit }) => ({ timeLimit: limitOf(timeLimit, "a time limit") }),
  idle_limit: ({ idleLimit }) => ({ idleLimit: limitOf(idleLimit, "an idle limit") }),
  record_input: ({ recordInput }) => ({ recordInput }),
  strict_recording: ({ strictRecording }) => ({ strictRecording }),
  direct: ({ direct }) => ({ direct }),
} as const satisfies Readonly<Record<string, (message: PolicyMessage) => Partial<ShellPolicy>>>;

/** What an update may name of it. */
export const SHELL_POLICY_PATHS = [
  "shell_policy",
  ...Object.keys(READ).map((field) => `shell_policy.${field}`),
] as const;

export function shellPolicyMessage(policy: ShellPolicy): MessageInitShape<typeof ShellPolicySchema> {
  const { access, timeLimit, idleLimit, ...flags } = policy;
  return {
    ...flags,
    access: ACCESS[access],
    ...(timeLimit > 0 && { timeLimit: durationFromMs(timeLimit) }),
    ...(idleLimit > 0 && { idleLimit: durationFromMs(idleLimit) }),
  };
}

/** The fields that `mask` names; all of them for the whole. One that the message leaves unset asks nothing from now on. */
export function shellPolicyChange(mask: ReadonlySet<string>, message?: PolicyMessage): Partial<ShellPolicy> {
  const said = message ?? create(ShellPolicySchema);
  const isWhole = mask.has("shell_policy");
  const fields = Object.entries(READ).filter(([field]) => isWhole || mask.has(`shell_policy.${field}`));
  return Object.assign({}, ...fields.map(([, read]) => read(said)));
}

function limitOf(duration: Duration | undefined, what: string): number {
  const ms = duration === undefined ? 0 : durationMs(duration);
  if (ms === 0 || (ms >= SHORTEST_LIMIT && ms <= LONGEST_LIMIT)) return Math.round(ms);
  throw new HpsError("invalid", `${what} is 1 s to 7 d, not ${ms} ms`, { hint: "unset it for none" });
}
