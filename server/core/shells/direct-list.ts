/** Who may enter a host directly while no hpsd is there. Pure: facts in, list out; see docs/shell-direct.md. */
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { ShellPolicy } from "../../store/clusters.ts";
import type { OperatorKey } from "../../store/direct-access.ts";
import { roleIn } from "../identity/principal.ts";
import type { RecordingMode } from "./recording.ts";
import { rightOf, type ShellFacts } from "./shell-policy.ts";

/** An operator who may, by its keys. */
export interface DirectEntry {
  readonly name: string;
  /** SHA-256 of each SPKI, hex. */
  readonly keys: readonly string[];
  /** UTC milliseconds; undefined: with the list. */
  readonly until: number | undefined;
}

/** What is known of a host, and of everybody with a key and a role in its cluster. */
export interface DirectFacts extends Omit<ShellFacts, "operator" | "role"> {
  readonly keys: readonly OperatorKey[];
  /** When the list ends. */
  readonly listEnd: number;
}

/** Whether a host may be entered directly: hpsd's own rule first, then the cluster's. */
export function isDirect(policy: ShellPolicy, recording: RecordingMode): boolean {
  const { direct, strictRecording, approvalRequired } = policy;
  return direct && recording !== "strict" && !strictRecording && !approvalRequired;
}

/** Refuses terms that cannot be kept without hpsd: `precondition` under strict recording, `invalid` with approval. */
export function checkDirectPolicy(policy: ShellPolicy, cluster: string, recording: RecordingMode = "strict"): void {
  if (!policy.direct) return;
  if (recording === "strict" || policy.strictRecording) {
    const whose = recording === "strict" ? "hpsd records strictly" : `cluster ${cluster} asks for strict recording`;
    throw new HpsError("precondition", `the direct way into hosts cannot be on: ${whose}, and it goes past hpsd`, {
      hint:
        recording === "strict"
          ? "shell.recording: best-effort in hpsd's configuration allows it; else --shell-direct off"
          : "--shell-recording any allows it; else --shell-direct off",
    });
  }
  if (policy.approvalRequired) {
    throw new HpsError("invalid", "the direct way cannot be on where another operator approves each session", {
      hint: "nobody can be asked without hpsd: --shell-approval none, or --shell-direct off",
    });
  }
}

/** Everybody whom `rightOf` lets enter now, until the first of: right, certificate. By name. */
export function planDirectList({ keys, listEnd, ...facts }: DirectFacts): readonly DirectEntry[] {
  const byOperator = Map.groupBy(keys, ({ operatorId }) => operatorId);
  return [...byOperator].flatMap(([id, of]) => {
    const [{ operator: name } = { operator: "" }] = of;
    const roles = new Map(of.map(({ binding }) => [binding.clusterId, binding.role]));
    const right = rightOf({ ...facts, operator: { id, name }, role: roleIn({ roles }, facts.clusterId) }, "enter");
    if (right === undefined) return [];
    const until = Math.min((right.by === "grant" ? right.until : null) ?? listEnd, listEnd);
    return entriesOf(name, of, until, listEnd);
  });
}

/** A key may end before the list: then it stands alone, with its own end. */
function entriesOf(name: string, of: readonly OperatorKey[], until: number, listEnd: number): DirectEntry[] {
  const ends = new Map(of.map(({ publicKey, notAfter }) => [publicKey, Math.min(notAfter, until)]));
  const byEnd = Map.groupBy([...ends], ([, end]) => end);
  return [...byEnd].map(([end, keysOf]) => ({
    name,
    keys: keysOf.map(([key]) => key),
    until: end < listEnd ? end : undefined,
  }));
}
