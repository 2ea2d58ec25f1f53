import type { Generated } from "kysely";
import type {
  DeltaTable,
  ImageKeySetTable,
  ImagePackTable,
  ImageSignatureTable,
  ImageTable,
  PackTable,
} from "./image-tables.ts";
import type { AuditAnchorTable, AuditTable, ChangeTable, RemovedRecordingTable } from "./record-tables.ts";
import type { SessionTable, ShellGrantTable } from "./shell-tables.ts";

/**
 * Every table of hpsd. Times are UTC milliseconds; ids are UUIDv7 text; flags are 0 or 1; `*_json` is JSON text.
 * `revision` counts changes of its row and is what an etag is made of.
 */
export interface Tables {
  setting: SettingTable;
  cluster: ClusterTable;
  host: HostTable;
  host_mac: HostMacTable;
  host_address: HostAddressTable;
  host_tag: HostTagTable;
  image: ImageTable;
  pack: PackTable;
  image_pack: ImagePackTable;
  delta: DeltaTable;
  image_signature: ImageSignatureTable;
  image_key_set: ImageKeySetTable;
  installation: InstallationTable;
  step: StepTable;
  journal: JournalTable;
  log_line: LogLineTable;
  agent_run: AgentRunTable;
  claim: ClaimTable;
  certificate: CertificateTable;
  intermediate: IntermediateTable;
  operator: OperatorTable;
  role_binding: RoleBindingTable;
  invitation: InvitationTable;
  contact: ContactTable;
  session: SessionTable;
  shell_grant: ShellGrantTable;
  audit: AuditTable;
  audit_anchor: AuditAnchorTable;
  removed_recording: RemovedRecordingTable;
  change: ChangeTable;
}

/** Facts of this hpsd that are set once: trust domain, root certificate, … */
interface SettingTable {
  name: string;
  value: string;
}

interface ClusterTable {
  id: string;
  name: string;
  description: string;
  domain: string;
  admission: "armed" | "approve";
  /** What it asks of shells, as JSON; what is not named asks nothing. */
  shell_json: Generated<string>;
  /** Where packs are beside hpsd: a JSON array of base URLs. */
  image_mirrors_json: Generated<string>;
  /** So many tags of each name of an image are kept; 0: all. */
  image_keep: Generated<number>;
  created_at: number;
  updated_at: number;
  revision: number;
}

interface HostTable {
  id: string;
  cluster_id: string;
  name: string;
  profile: string;
  resume: "never" | "once" | "always";
  /** When the installed system first reported; null before, and after re-installation began. */
  installed_at: number | null;
  agent_version: string;
  /** The last BootReport, as JSON. */
  boot_json: string | null;
  /** How the installed system reaches the network. */
  network: Generated<"dhcp" | "static">;
  /** What its agent last said of the machine: hps.v1.Facts as JSON. */
  facts_json: Generated<string | null>;
  created_at: number;
  updated_at: number;
  revision: number;
}

interface HostMacTable {
  mac: string;
  host_id: string;
  ordinal: number;
}

interface HostAddressTable {
  address: string;
  host_id: string;
  ordinal: number;
}

interface HostTagTable {
  host_id: string;
  key: string;
  value: string;
}

interface InstallationTable {
  id: string;
  host_id: string;
  cluster_id: string;
  /** A state of core/hosts/life-cycle.ts while open, then `ended`. */
  state: string;
  outcome: "open" | "succeeded" | "cancelled" | "expired";
  reason: string;
  /** As it was armed with: a name, `shared/` and a name, or `sha256:` and a digest; empty: nothing to install. */
  image: string;
  /** What that meant when it was armed, SHA-256 in lower-case hex. */
  image_digest: Generated<string>;
  /** JSON array of disk serial numbers. */
  wipe_json: string;
  armed_by: string;
  window_end_at: number;
  created_at: number;
  ended_at: number | null;
  /** Facts of the machine that enrolled, as JSON; null before, and after a freeze was lifted. */
  facts_json: string | null;
  /** How often the resume policy has let it go on by itself. */
  resumed: number;
  /** The disk rule; empty for the one fixed disk. */
  disk: Generated<string>;
  /** Of each root file system; 0: as the image needs. */
  root_size_bytes: Generated<number>;
  /** Whether the chosen disk may be wiped, whatever its serial number. */
  wipe: Generated<number>;
  /** Whether only a shell is wanted. */
  rescue: Generated<number>;
  reboot_paused: Generated<number>;
  /** An operator said `retry` and no agent has gone on since: the machine that comes next goes on by itself. */
  go_on: Generated<number>;
  /** Digest of the installer that its machine booted last; empty before. */
  installer: Generated<string>;
  last_journal: number;
  last_log: number;
  revision: number;
}

interface StepTable {
  installation_id: string;
  ordinal: number;
  name: string;
  state: "pending" | "running" | "succeeded" | "failed";
  attempt: number;
  done: number;
  total: number;
  unit: string;
  reason: string;
  started_at: number | null;
  ended_at: number | null;
}

/** One entry of an installation's journal; `sequence` counts from 1 in each installation without gaps. */
interface JournalTable {
  installation_id: string;
  sequence: number;
  at: number;
  /** The hps.v1.JournalEntry, binary. */
  entry: Uint8Array;
}

interface LogLineTable {
  installation_id: string;
  sequence: number;
  at: number;
  source: string;
  text: Uint8Array;
}

/** How far a run of an agent is stored: what is not above `last_sequence` is a repetition. */
interface AgentRunTable {
  run_id: string;
  identity: string;
  last_sequence: number;
  started_at: number;
}

interface ClaimTable {
  /** What the boot script names it by; opens nothing once fetched. */
  id: string;
  /** SHA-256 of the token, hex; the token is made when the claim is fetched. */
  token_hash: string | null;
  installation_id: string;
  host_id: string;
  /** The sender the script went to; only it may fetch the claim. */
  mac: string;
  address: string;
  issued_at: number;
  expires_at: number;
  fetched_at: number | null;
  /** A newer claim or the end of the installation. */
  voided_at: number | null;
  void_reason: string;
  /** Set at the first enrolment try: the only key this claim may enrol. SHA-256 of the SPKI, hex. */
  public_key: string | null;
  /** While an operator has to compare: what was sent. */
  pending_at: number | null;
  pending_facts_json: string | null;
  pending_address: string | null;
  approved_at: number | null;
  approved_by: string | null;
  certificate_serial: string | null;
}

interface CertificateTable {
  /** Lower-case hex. */
  serial: string;
  kind: "operator" | "installer" | "host" | "server";
  /** Operator name, installation id, host id or server name. */
  subject: string;
  host_id: string | null;
  cluster_id: string | null;
  state: "waiting" | "valid" | "suspended" | "revoked";
  /** SHA-256 of the DER, hex. */
  fingerprint: string;
  public_key: string;
  not_before: number;
  not_after: number;
  issued_at: number;
  revoked_at: number | null;
  revoke_reason: string;
  /** Leaf and intermediate, as a peer presents them. */
  pem: string;
  /** Serial of the certificate this one renews; that one is revoked when this one is first used. */
  replaces: string | null;
}

/** Keys lie in the state folder as `ca/<id>.key`, 0600. */
interface IntermediateTable {
  id: string;
  /** `prepared` has a key and no certificate yet; exactly one is `active`. */
  state: "prepared" | "active" | "retired";
  pem: string | null;
  not_after: number | null;
  created_at: number;
}

interface OperatorTable {
  id: string;
  name: string;
  created_at: number;
}

interface RoleBindingTable {
  operator_id: string;
  /** A cluster id, or `*`. */
  cluster_id: string;
  role: "viewer" | "operator" | "admin";
}

interface InvitationTable {
  token_hash: string;
  operator_id: string;
  created_at: number;
  expires_at: number;
  /** The key that used it; the same key may repeat (a lost reply is not an attack). */
  public_key: string | null;
  certificate_serial: string | null;
}

interface ContactTable {
  mac: string;
  address: string;
  first_seen_at: number;
  last_seen_at: number;
  inventory_json: string;
}
