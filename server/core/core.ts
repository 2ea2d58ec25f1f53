import type { Version } from "../../proto/values/version.ts";
import { voidClaims } from "../store/claims.ts";
import type { HpsStore, Tx } from "../store/database.ts";
import { createGroupCommit } from "../store/group-commit.ts";
import type { Clock } from "./audit/audit.ts";
import { AuditLog } from "./audit/audit-log.ts";
import { AuditVerifier } from "./audit/audit-verifier.ts";
import { Clusters } from "./clusters/clusters.ts";
import { Room } from "./files/room.ts";
import { pendingEnrolmentOf } from "./gate/approval.ts";
import { BeaconGate } from "./gate/beacon-gate.ts";
import { BootGate } from "./gate/boot-gate.ts";
import { ClaimGate } from "./gate/claim-gate.ts";
import { EnrolmentGate } from "./gate/enrolment-gate.ts";
import { FileGate } from "./gate/file-gate.ts";
import type { GateParts, GateSettings } from "./gate/gate-parts.ts";
import type { LogKeeping } from "./gate/keep-lines.ts";
import { LeaseTable } from "./gate/leases.ts";
import { LoaderWatch } from "./gate/loader-watch.ts";
import { Contacts } from "./hosts/contacts.ts";
import { Hosts } from "./hosts/hosts.ts";
import type { TargetLink } from "./hosts/network-order.ts";
import { type Identity, type OpenIdentityOptions, openIdentity } from "./identity/open-identity.ts";
import { Collector } from "./images/collector.ts";
import { convenienceSigner, readConvenienceKey } from "./images/convenience-key.ts";
import { Deltas } from "./images/deltas.ts";
import { Filing } from "./images/filing.ts";
import type { ImageLimits } from "./images/image-limits.ts";
import { ImageTrust } from "./images/image-trust.ts";
import { Images } from "./images/images.ts";
import { LibraryFiles } from "./images/library-files.ts";
import { PassingNames } from "./images/passing-names.ts";
import { Uploads } from "./images/uploads.ts";
import { Verifier } from "./images/verifier.ts";
import { Installers } from "./installers/installers.ts";
import { SetFolder } from "./installers/set-folder.ts";
import { agentOrders } from "./operations/agent-orders.ts";
import { Agents } from "./operations/agents.ts";
import { Bell } from "./operations/bell.ts";
import type { InstallationHooks } from "./operations/installation-life.ts";
import { Installations } from "./operations/installations.ts";
import { LogQuota } from "./operations/log-quota.ts";
import { Presence } from "./presence/presence.ts";
import { DirectAccess } from "./shells/direct-access.ts";
import { Grants } from "./shells/grants.ts";
import { KeptRecordings } from "./shells/kept-recordings.ts";
import type { RecordingMode } from "./shells/recording.ts";
import type { RecordingQuotas } from "./shells/recording-room.ts";
import { Recordings } from "./shells/recordings.ts";
import { SessionLinks } from "./shells/session-links.ts";
import { ShellAdmission } from "./shells/shell-admission.ts";
import { Shells } from "./shells/shells.ts";

/** What the core is told; times in milliseconds. */
interface CoreSettings extends GateSettings {
  /** Of certificates, in ms, by kind. */
  readonly lifetimes: NonNullable<OpenIdentityOptions["lifetimes"]>;
  readonly heartbeat: number;
  /** Silence after which an agent is gone. */
  readonly goneAfter: number;
  readonly recording: RecordingMode;
  readonly recordingQuotas: RecordingQuotas;
  /** Bytes kept of one installation's log. */
  readonly logSize: number;
  readonly imageLimits: ImageLimits;
  /** So many tags of each name the library keeps that all clusters share; 0: all. */
  readonly sharedTags: number;
  /** What installed hosts with fixed addresses are told; absent without a boot network. */
  readonly targetLink?: TargetLink | undefined;
}

export interface CoreOptions {
  readonly store: HpsStore;
  readonly stateFolder: string;
  readonly clock: Clock;
  readonly version: Version;
  readonly settings: CoreSettings;
  /** For the log: what failed where nobody waits for an answer. Must not throw. */
  readonly onError: (what: string, error: unknown) => void;
}

export type Core = Awaited<ReturnType<typeof openCore>>;

/** The domain, composed: nothing listens and nothing repeats yet. */
export async function openCore(options: CoreOptions) {
  const { store, clock, settings, version } = options;
  const identity = await openIdentity({ ...options, lifetimes: settings.lifetimes });
  const { audit, changes, certificates } = identity;
  const commits = createGroupCommit(store);
  const presence = openPresence(identity, options);
  const bell = new Bell();
  const orders = agentOrders(presence, (hostId) => identity.authority.uriOf("host", hostId));
  const installations = new Installations({
    ...{ store, clock, audit, changes, bell, orders },
    hooks: hooksOf(identity),
    targetLink: settings.targetLink,
    pendingOf: pendingEnrolmentOf,
    isAttached: (hostId) => presence.isAttached(hostId),
    restartAt: (hostId) => presence.restartAt(hostId),
  });
  const shells = openShells(identity, presence, options);
  const quota = new LogQuota({ maxCost: settings.logSize, slack: Math.ceil(settings.logSize / 16) });
  const agents = new Agents({
    ...{ clock, audit, changes, bell, presence, commits, refusals: identity.refusals },
    ...{ life: installations, quota },
    directAccess: (tx, clusterId) => shells.directAccess.isOn(tx, clusterId),
    validateWaiting: (tx, hostId) => certificates.validateWaiting(tx, hostId),
    serverVersion: version,
    heartbeatMs: settings.heartbeat,
  });
  const contacts = new Contacts({ store, writes: commits, clock });
  const isAttached = (hostId: string) => presence.isAttached(hostId);
  const files = await openFiles(identity, options);
  return {
    ...identity,
    ...files,
    auditLog: new AuditLog(store, audit.written),
    auditVerifier: new AuditVerifier(store),
    ...shells,
    clusters: new Clusters({ ...identity, recording: settings.recording }),
    grants: new Grants(identity),
    hosts: openHosts(identity, presence),
    links: new SessionLinks(identity),
    ...{ contacts, presence, installations, agents, isAttached, orders, targetLink: settings.targetLink },
    gate: openGate({
      ...{ identity, presence, installations, contacts, settings, installers: files.installers },
      logs: { quota, bell },
    }),
  };
}

/** Shell sessions, and what is recorded of them. */
function openShells(
  { store, audit, changes, refusals, live, authority }: Identity,
  presence: Presence,
  { clock, settings, stateFolder, onError }: CoreOptions,
) {
  const records = { store, audit, clock, folder: `${stateFolder}/sessions` };
  const admission = new ShellAdmission({ store, clock, refusals });
  const recordings = new Recordings({
    ...{ ...records, quotas: settings.recordingQuotas, admission },
    onError: (error) => onError("removing recordings", error),
  });
  const shells = new Shells({
    ...{ ...records, changes, presence, recording: settings.recording, room: recordings.room },
    ...{ admission, refusals, live },
    onError: (error) => onError("shell session", error),
  });
  const directAccess = new DirectAccess({
    ...{ store, clock, changes, authority, presence, recording: settings.recording },
    onError: (error) => onError("telling agents who may enter directly", error),
  });
  const keptRecordings = new KeptRecordings({
    ...{ ...records, changes, authority, refusals, room: recordings.room },
    spool: `${stateFolder}/delivered`,
  });
  return { shells, admission, recordings, directAccess, keptRecordings };
}

/** Images and installers, and what of them no agent needs any more. */
async function openFiles(identity: Identity, { stateFolder, settings, onError }: CoreOptions) {
  const room = new Room(stateFolder);
  const filing = new Filing({
    ...identity,
    files: await LibraryFiles.open(`${stateFolder}/images`, room),
    onError: (error) => onError("removing files of images", error),
  });
  const limits = settings.imageLimits;
  const key = await readConvenienceKey(stateFolder);
  const sign = key && convenienceSigner(key, identity.clock);
  const images = new Images({ ...identity, filing, limits, ...(sign && { sign }) });
  const installers = await Installers.open({
    ...identity,
    folder: await SetFolder.open(`${stateFolder}/boot`, room),
    onError: (error) => onError("removing old installers", error),
  });
  const uploads = new Uploads({ ...identity, filing, images, limits });
  const passingNames = new PassingNames({ ...identity, sharedTags: settings.sharedTags });
  const collector = new Collector({ ...identity, filing, names: passingNames });
  const verifier = new Verifier({ ...identity, filing });
  const deltas = new Deltas({ ...identity, filing, onError: (error) => onError("making a delta", error) });
  const imageTrust = new ImageTrust(identity);
  return { images, filing, uploads, passingNames, collector, verifier, deltas, imageTrust, installers };
}

function openPresence({ audit, store }: Identity, { clock, settings, onError }: CoreOptions): Presence {
  return new Presence({
    clock,
    goneAfterMs: settings.goneAfter,
    onTwoMachines: ({ identity: actor, address, hostId, clusterId }) => {
      const reason = "one identity, two machines: its agents keep taking each other's place";
      const subject = { target: `host:${hostId}`, clusterId, reason };
      store
        .write((tx) => audit.allowed(tx, { actor, action: "agent.attach", address }, subject))
        .catch((error: unknown) => onError("audit", error));
      onError("presence", new Error(`${reason}: ${actor} from ${address}`));
    },
  });
}

function hooksOf({ certificates, clock }: Identity): InstallationHooks {
  return {
    voidClaims: (tx, id, reason) => voidClaims(tx, id, clock(), reason),
    revokeInstaller: async (tx, installationId, reason) =>
      void (await certificates.revoke(tx, { installationId }, reason)),
    suspendHost: (tx, hostId) => certificates.suspendHost(tx, hostId),
    resumeHost: (tx, hostId) => certificates.resumeHost(tx, hostId),
    revokeHost: async (tx, hostId, reason) => void (await certificates.revoke(tx, { hostId }, reason)),
  };
}

function openHosts({ store, clock, audit, changes, certificates }: Identity, presence: Presence): Hosts {
  return new Hosts({
    ...{ store, clock, audit, changes },
    isAttached: (hostId) => presence.isAttached(hostId),
    revokeCertificates: (tx: Tx, hostId, reason) => certificates.revoke(tx, { hostId }, reason),
    // Its certificates are revoked, which ends its calls; there is nothing else to close.
    onDeleted: () => undefined,
  });
}

interface GateNeeds {
  readonly identity: Identity;
  readonly presence: Presence;
  readonly installations: Installations;
  readonly contacts: Contacts;
  readonly installers: Installers;
  readonly settings: CoreSettings;
  readonly logs: LogKeeping;
}

function openGate({ identity, presence, installations, contacts, installers, settings, logs }: GateNeeds) {
  const leases = new LeaseTable(settings.contactWindow);
  const loaders = new LoaderWatch({ ...identity, leases }, logs);
  const parts: GateParts = { ...identity, presence, installations, installers, leases, loaders, settings };
  return {
    leases,
    loaders,
    parts,
    boot: new BootGate(parts, contacts),
    claims: new ClaimGate(parts),
    files: new FileGate(parts),
    beacons: new BeaconGate(parts, logs),
    enrolment: new EnrolmentGate(parts),
  };
}
