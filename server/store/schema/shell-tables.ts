/** The tables of shells; conventions as in tables.ts. */
import type { Generated } from "kysely";

/** A shell session, open or ended. */
export interface SessionTable {
  id: string;
  host_id: string;
  cluster_id: string;
  host_name: string;
  operator: string;
  command_json: string;
  reason: string;
  started_at: number;
  ended_at: number | null;
  exit_code: number | null;
  end_reason: string;
  recording_bytes: number;
  recording_digest: string;
  /** From where it was begun. */
  address: string;
  /** Run of the agent that serves it: another run knows nothing of it. */
  agent_run: string;
  /** 1 while all of it is recorded. */
  recorded: number;
  /** The operator who approved it; empty when nobody had to. */
  approver: Generated<string>;
  /** When its time is over; null without a limit. */
  ends_at: Generated<number | null>;
  /** It ends when nobody types for so many milliseconds; 0 without a limit. */
  idle_limit: Generated<number>;
  /** 1 when it went past hpsd and its agent brought the recording later. */
  kept_by_agent: Generated<number>;
  /** Fingerprint of the certificate it was begun with. */
  certificate: Generated<string>;
  /** 1 where its cluster wants no shell without a recording. */
  strict: Generated<number>;
}

/** Who may enter or watch shells beside those whose role is enough. */
export interface ShellGrantTable {
  id: string;
  cluster_id: string;
  /** Either an operator, or all who have at least a role. */
  operator_id: string | null;
  role: "viewer" | "operator" | "admin" | null;
  /** One host; null: those that have all the tags, which without any is every one of the cluster. */
  host_id: string | null;
  /** JSON object. */
  tags_json: string;
  permission: "watch" | "enter";
  expires_at: number | null;
  reason: string;
  created_by: string;
  created_at: number;
}
