import { InstallationService, InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { ShellService } from "../../proto/gen/hps/v1/shell_pb.ts";
import { SystemService } from "../../proto/gen/hps/v1/system_pb.ts";
import { type Rig, ROOT } from "./rig.ts";
import { type Row, type RowSpec, row, type Try } from "./row.ts";
import { grantViewers } from "./rows-grants.ts";
import { ofHost } from "./rows-hosts.ts";
import { hasOpenSession, versionOf } from "./subject.ts";

const installation = InstallationService.method;
const shell = ShellService.method;

const ofClusterA = ({ rig }: Try) => `cluster:${rig.clusters.a}`;
const ofInstallation = ({ subject }: Try) => `installation:${subject.installationId}`;
const named = ({ subject }: Try) => ({ installation: subject.installationId });
const stored = ({ rig, subject }: Try, column: "state" | "outcome") =>
  rig.book.value(`SELECT ${column} FROM installation WHERE id = ?`, subject.installationId);
const isPaused = ({ rig, subject }: Try) =>
  rig.book.value("SELECT reboot_paused FROM installation WHERE id = ?", subject.installationId);
const isSubject = ({ id }: { readonly id: string }, { subject }: Try) => id === subject.installationId;

export const INSTALLATION_ROWS: readonly Row[] = [
  row(installation.getInstallation, {
    wish: { state: "installing" },
    request: named,
    shows: isSubject,
    target: ofInstallation,
  }),
  row(installation.listInstallations, {
    wish: { state: "installing" },
    request: () => ({ cluster: "a", pageSize: 1000 }),
    shows: ({ installations }, t) => installations.some((each) => isSubject(each, t)),
    target: ofClusterA,
  }),
  row(installation.listInstallations, {
    variant: "of a host",
    wish: { state: "installing" },
    request: ({ subject }) => ({ host: subject.hostId }),
    shows: ({ installations }, t) => installations.some((each) => isSubject(each, t)),
    target: ofHost,
  }),
  row(installation.listInstallations, {
    variant: "of all",
    wish: { state: "installing" },
    request: () => ({ pageSize: 1000 }),
    shows: ({ installations }, t) => installations.some((each) => isSubject(each, t)),
  }),
  row(installation.watchInstallation, {
    wish: { state: "installing" },
    request: named,
    shows: ({ entry }) => entry?.sequence === 1n && entry.entry.case === "change",
    target: ofInstallation,
  }),
  row(installation.watchInstallationLog, {
    wish: { state: "installing" },
    request: (t) => ({ ...named(t), follow: true }),
    shows: ({ lines }) => lines.some(({ text }) => Buffer.from(text).toString() === "hello"),
    target: ofInstallation,
  }),
  row(installation.retryInstallation, {
    wish: { state: "failed" },
    request: named,
    shows: ({ state }, t) => state === InstallationState.INSTALLING && stored(t, "state") === "installing",
    target: ofInstallation,
    changes: true,
  }),
  row(installation.cancelInstallation, {
    wish: { state: "installing" },
    request: (t) => ({ ...named(t), reason: "test" }),
    shows: ({ state }, t) => state === InstallationState.ENDED && stored(t, "outcome") === "cancelled",
    target: ofInstallation,
    changes: true,
  }),
  row(installation.unfreezeInstallation, {
    wish: { state: "frozen" },
    request: named,
    shows: ({ state }, t) => state === InstallationState.INTERRUPTED && stored(t, "state") === "interrupted",
    target: ofInstallation,
    changes: true,
  }),
  row(installation.pauseReboot, {
    wish: { state: "installing" },
    request: named,
    shows: ({ rebootPaused }, t) => rebootPaused && isPaused(t) === 1,
    target: ofInstallation,
    changes: true,
  }),
  row(installation.resumeReboot, {
    wish: { state: "installing" },
    extra: async ({ core }, { installationId }) => {
      await core.installations.pauseReboot(ROOT, installationId, true);
      return "";
    },
    request: named,
    shows: ({ rebootPaused }, t) => !rebootPaused && isPaused(t) === 0,
    target: ofInstallation,
    changes: true,
  }),
  row(installation.issueClaim, {
    wish: { state: "armed" },
    request: named,
    shows: ({ claim }, { rig, subject }) =>
      claim.includes(subject.installationId) &&
      rig.book.value("SELECT id FROM claim WHERE installation_id = ?", subject.installationId) !== undefined,
    target: ofInstallation,
    changes: true,
  }),
  row(installation.approveEnrolment, {
    wish: { state: "awaiting" },
    extra: async ({ core }, subject) =>
      (await core.installations.get(subject.installationId)).pending?.fingerprint ?? "nobody waits",
    request: (t) => ({ ...named(t), fingerprint: t.subject.extra }),
    shows: (_reply, { rig, subject }) =>
      rig.book.value("SELECT approved_by FROM claim WHERE installation_id = ?", subject.installationId) !== null,
    target: ofInstallation,
    changes: true,
  }),
];

const ofSession = ({ subject }: Try) => `session:${subject.sessionId}`;

const BY_GRANT = { variant: "by grant", extra: grantViewers, granted: true } as const;

const OPEN_SESSION: RowSpec<typeof shell.openSession> = {
  wish: { state: "installing", agent: "serves" },
  request: ({ subject }) => ({
    message: { case: "start" as const, value: { host: subject.hostId, command: ["true"], reason: "test" } },
  }),
  shows: ({ message }, { rig, subject }) =>
    message.case === "session" &&
    rig.book.value("SELECT host_id FROM session WHERE id = ?", message.value.id) === subject.hostId,
  target: ofHost,
  changes: true,
  isSettled: ({ rig, subject }) => !hasOpenSession(rig, subject.hostId),
};

const ATTACH_SESSION: RowSpec<typeof shell.attachSession> = {
  wish: { state: "installing", agent: "serves", session: "waiting" },
  request: ({ subject }) => ({ message: { case: "attach" as const, value: { session: subject.sessionId } } }),
  shows: ({ message }, { subject }) => message.case === "session" && message.value.id === subject.sessionId,
  target: ofSession,
  changes: "elsewhere",
};

const READ_RECORDING: RowSpec<typeof shell.readRecording> = {
  wish: { state: "installing", agent: "attached", session: "over" },
  request: ({ subject }) => ({ session: subject.sessionId }),
  shows: ({ data }, { rig, subject }) =>
    Buffer.from(data).includes('"version":') && isReadAudited(rig, subject.sessionId),
  target: ofSession,
  changes: "elsewhere",
  // Told by a word of its own: see shows.
  events: () => 0,
};

const CREATE_LINK: RowSpec<typeof shell.createSessionLink> = {
  wish: { state: "installing", agent: "attached" },
  request: ({ subject }) => ({ host: subject.hostId, reason: "test" }),
  shows: ({ url }) => /^https:.*\/web\/#link=[\w-]{43}$/.test(url),
  target: ofHost,
  changes: "elsewhere",
};

export const SHELL_ROWS: readonly Row[] = [
  row(shell.openSession, OPEN_SESSION),
  row(shell.openSession, { ...OPEN_SESSION, ...BY_GRANT }),
  row(shell.attachSession, ATTACH_SESSION),
  row(shell.attachSession, { ...ATTACH_SESSION, ...BY_GRANT }),
  row(shell.approveSession, {
    wish: { state: "installing", agent: "serves", session: "asked" },
    request: ({ subject }) => ({ session: subject.sessionId, reason: "test" }),
    shows: ({ id }, { subject }) => id === subject.sessionId,
    target: ofSession,
    changes: true,
    isSettled: ({ rig, who, subject }) =>
      rig.book.value("SELECT approver FROM session WHERE id = ?", subject.sessionId) === who,
  }),
  row(shell.killSession, {
    wish: { state: "installing", agent: "serves", session: "waiting" },
    request: ({ subject }) => ({ session: subject.sessionId, reason: "test" }),
    shows: (_reply, { rig, subject }) => !hasOpenSession(rig, subject.hostId),
    target: ofSession,
    changes: true,
  }),
  row(shell.createSessionLink, CREATE_LINK),
  row(shell.createSessionLink, { ...CREATE_LINK, ...BY_GRANT }),
  row(shell.getSession, {
    wish: { state: "installing", agent: "attached", session: "over" },
    request: ({ subject }) => ({ session: subject.sessionId }),
    shows: ({ id }, { subject }) => id === subject.sessionId,
    target: ofSession,
  }),
  row(shell.listSessions, {
    wish: { state: "installing", agent: "attached", session: "over" },
    request: () => ({ cluster: "a", pageSize: 1000 }),
    shows: ({ sessions }, { subject }) => sessions.some(({ id }) => id === subject.sessionId),
    target: ofClusterA,
  }),
  row(shell.listSessions, {
    variant: "of all",
    wish: { state: "installing", agent: "attached", session: "over" },
    request: () => ({ pageSize: 1000 }),
    shows: ({ sessions }, { subject }) => sessions.some(({ id }) => id === subject.sessionId),
  }),
  row(shell.readRecording, READ_RECORDING),
  row(shell.readRecording, { ...READ_RECORDING, ...BY_GRANT }),
  row(shell.verifyRecording, {
    wish: { state: "installing", agent: "attached", session: "over" },
    request: ({ subject }) => ({ session: subject.sessionId }),
    shows: ({ digest, auditDigest, problems }) => problems.length === 0 && digest !== "" && digest === auditDigest,
    target: ofSession,
  }),
];

function isReadAudited({ book }: Rig, sessionId: string): boolean {
  const last = book.value(
    "SELECT details_json FROM audit WHERE action = 'session.read' ORDER BY sequence DESC LIMIT 1",
  );
  return String(last).includes(sessionId);
}

export const SYSTEM_ROWS: readonly Row[] = [
  row(SystemService.method.getStatus, {
    wish: { state: "installing", agent: "attached" },
    request: () => ({}),
    shows: ({ agentVersions }, { subject }) =>
      agentVersions.some(({ version, count }) => version === versionOf(subject.hostName) && count === 1),
  }),
];
