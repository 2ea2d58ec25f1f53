import { fromBinary } from "@bufbuild/protobuf";
import { makeRequest } from "../../certs/csr.ts";
import { makeKey } from "../../certs/key.ts";
import { AgentService } from "../../proto/gen/hps/v1/agent_pb.ts";
import { DirectAccessListSchema } from "../../proto/gen/hps/v1/direct_pb.ts";
import { newUuid } from "../../proto/values/uuid.ts";
import type { WhoName } from "./identities.ts";
import { type Row, row, type Try } from "./row.ts";
import { ofHost } from "./rows-hosts.ts";
import { hasOpenSession, type Wish } from "./subject.ts";

const agent = AgentService.method;
const request = makeRequest(makeKey());

/** What must be so for this one to attach: hosts rest, but the one that waits for its first attach, and installers work. */
const attachable = (who: WhoName): Wish => {
  if (who === "host" || who === "suspended") return {};
  return { state: who === "waiting" ? "rebooting" : "installing" };
};

const isValidNow = ({ rig, peer: { hostId } }: Try) =>
  rig.book.value("SELECT state FROM certificate WHERE kind = 'host' AND host_id = ? AND state = 'valid'", hostId) !==
  undefined;

export const AGENT_ROWS: readonly Row[] = [
  row(agent.attach, {
    wish: attachable,
    request: () => ({
      message: {
        case: "hello" as const,
        value: { runId: newUuid(), version: "0.1.0", boot: { slot: "a", kernel: "6.1", image: "", healthy: true } },
      },
    }),
    // Whoever comes is told of its own host and of no other.
    shows: ({ message }, t) =>
      message.case === "welcome" &&
      t.peer.hostId !== "" &&
      message.value.hostId === t.peer.hostId &&
      (t.who !== "waiting" || isValidNow(t)),
    changes: true,
    // To come and go is shown with the host and is no event; to end an installation is one.
    events: (who) => (who === "waiting" ? 1 : 0),
    isSettled: ({ rig, peer }) => !rig.core.isAttached(peer.hostId),
  }),
  row(agent.getConfiguration, {
    wish: { state: "installing" },
    request: ({ subject }) => ({ hostId: subject.hostId }),
    shows: ({ hostName }, { subject }) => hostName === subject.hostName,
    target: ofHost,
  }),
  row(agent.issueHostCertificate, {
    wish: { state: "installing" },
    request: ({ subject }) => ({ installation: subject.installationId, certificateRequest: request }),
    shows: ({ certificateChain }, { rig, subject }) =>
      certificateChain ===
      rig.book.value("SELECT pem FROM certificate WHERE host_id = ? ORDER BY rowid DESC", subject.hostId),
    target: ({ subject }) => `installation:${subject.installationId}`,
    changes: true,
  }),
  row(agent.renewDirectAccess, {
    wish: { state: "installing" },
    request: () => ({ certificateRequest: request }),
    // The list is about the caller's own host.
    shows: ({ list }, { peer }) =>
      peer.hostId !== "" && fromBinary(DirectAccessListSchema, list).hostId === peer.hostId,
  }),
  row(agent.deliverRecording, {
    wish: { state: "installing" },
    request: () => ({
      message: {
        case: "recording" as const,
        value: { session: newUuid(), bytes: 1n, digest: `sha256:${"0".repeat(64)}` },
      },
    }),
    shows: ({ message }) => message.case === "offset" && message.value === 0n,
  }),
  row(agent.serveShell, {
    wish: { state: "installing", agent: "attached", session: "waiting" },
    request: ({ subject }) => ({ message: { case: "session" as const, value: subject.sessionId } }),
    // What the operator typed arrives at this agent.
    shows: ({ message }) => message.case === "input" && Buffer.from(message.value).toString() === "typed",
    target: ({ subject }) => `session:${subject.sessionId}`,
    changes: true,
    // The session is the operator's, and so are its events.
    events: () => 0,
    isSettled: ({ rig, subject }) => !hasOpenSession(rig, subject.hostId),
  }),
];
