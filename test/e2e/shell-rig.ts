/** The whole path of a shell: an operator's client, the real server with its gate, the agent's own shell, over TLS. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { create } from "@bufbuild/protobuf";
import { makeKey, privateKeyPem } from "../../certs/key.ts";
import { ShellSessions } from "../../installer-agent/shell/shell-sessions.ts";
import { TEST_SHELLS } from "../../installer-agent/shell/testing/session-rig.ts";
import { AgentService, CommandSchema, type OpenShell } from "../../proto/gen/hps/v1/agent_pb.ts";
import { type Session, ShellService } from "../../proto/gen/hps/v1/shell_pb.ts";
import { type Channel, openChannel } from "../../proto/rpc/channel.ts";
import { type Client, client } from "../../proto/rpc/rpc-client.ts";
import { RpcServer } from "../../proto/rpc/rpc-server.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseHttpsUrl } from "../../proto/values/https-url.ts";
import { newUuid } from "../../proto/values/uuid.ts";
import { actorOfCaller } from "../../server/core/audit/audit.ts";
import { Clusters } from "../../server/core/clusters/clusters.ts";
import { Access } from "../../server/core/identity/access.ts";
import { expiryOf } from "../../server/core/identity/live-calls.ts";
import { Operators } from "../../server/core/identity/operators.ts";
import type { Caller, Role } from "../../server/core/identity/principal.ts";
import { Presence } from "../../server/core/presence/presence.ts";
import { Grants, type GrantWish } from "../../server/core/shells/grants.ts";
import { Recordings } from "../../server/core/shells/recordings.ts";
import { SessionLinks } from "../../server/core/shells/session-links.ts";
import { ShellAdmission } from "../../server/core/shells/shell-admission.ts";
import type { ShellPolicy } from "../../server/core/shells/shell-policy.ts";
import { type ShellLimits, Shells } from "../../server/core/shells/shells.ts";
import { operatorCaller } from "../../server/core/testing/callers.ts";
import { addTestCluster, addTestHost } from "../../server/core/testing/open-test-store.ts";
import { issueTestPeer, openTestIdentity, type TestIdentity } from "../../server/core/testing/test-identity.ts";
import { addTestInstallation, addTestOperator } from "../../server/core/testing/test-rows.ts";
import { createAuthorize } from "../../server/rpc/authorize.ts";
import { serveShell } from "../../server/rpc/serve-shell.ts";
import { shellService } from "../../server/rpc/shell-service.ts";
import { selectAudit } from "../../server/store/audit.ts";

export type Operator = Client<typeof ShellService>;

export interface ShellRig extends AsyncDisposable {
  readonly links: SessionLinks;
  readonly identity: TestIdentity;
  readonly shells: Shells;
  readonly server: RpcServer<Caller>;
  readonly agent: ShellSessions;
  readonly hostId: string;
  readonly operator: Operator;
  readonly operatorSerial: string;
  readonly operatorChannel: Channel;
  readonly agentChannel: Channel;
  readonly operatorNamed: (name: string, roles: Readonly<Record<string, Role>>) => Promise<Operator>;
  /** The same operator by another certificate. */
  readonly operatorAgain: (name: string) => Promise<Operator>;
  /** Its id. */
  readonly grant: (to: GrantWish["to"], permission: GrantWish["permission"], forMs?: number) => Promise<string>;
  readonly revokeGrant: (id: string) => Promise<void>;
  /** What the cluster asks of shells from now on. */
  readonly policy: (policy: Partial<ShellPolicy>) => Promise<unknown>;
  readonly setRoles: (name: string, roles: Readonly<Record<string, Role>>) => Promise<unknown>;
  /** The agent of another host, as it would call. */
  readonly stranger: () => Promise<Client<typeof AgentService>>;
  /** What the agent is asked; replaced by tests of agents that misbehave. */
  onCommand: (shell: OpenShell) => Promise<void>;
  /** Where recordings lie. */
  readonly folder: string;
  readonly recordingOf: (session: Pick<Session, "id">, extension: string) => Promise<Buffer>;
}

export interface ShellRigOptions {
  readonly folder?: string;
  readonly limits?: Partial<ShellLimits>;
}

export async function startShellRig(options: ShellRigOptions = {}): Promise<ShellRig> {
  const identity = await openTestIdentity();
  const { store, clock, audit, changes, live, refusals } = identity;
  const state = await mkdtemp(path.join(tmpdir(), "hps-shell-"));
  const clusterId = await addTestCluster(store);
  const hostId = await addTestHost(store, clusterId, { name: "h1" });
  const folder = options.folder ?? path.join(state, "sessions");
  const presence = new Presence({ clock, onTwoMachines: () => undefined });
  attach(presence, { hostId, clusterId }, async (shell) => await rig.onCommand(shell));
  const records = { store, clock, audit, changes };
  const { limits = {} } = options;
  const admission = new ShellAdmission({ store, clock, refusals });
  const shells = new Shells({
    ...{ ...records, presence, folder, admission, refusals, live, limits },
    recording: "strict",
    onError: () => undefined,
  });
  const recordings = { ...records, folder, admission, quotas: QUOTAS, onError: () => undefined };
  const links = new SessionLinks(identity);
  const server = await startServer(identity, { shells, links, admission, recordings: new Recordings(recordings) });
  live.connect((which, reason) => server.endCalls(({ principal }) => which(principal), reason));
  const channels: Channel[] = [];
  const connect = async (peer: Parameters<typeof issueTestPeer>[1]) => {
    const { key, cert, signed } = await issueTestPeer(identity, peer);
    const tls = { ca: identity.authority.rootPem, key, cert };
    const channel = openChannel({ address: `localhost:${ports.get(server)}`, version: "0.1.0", tls });
    channels.push(channel);
    return { channel, serial: signed.serial };
  };
  const operatorNamed = async (name: string, roles: Readonly<Record<string, Role>>) => {
    await addTestOperator(store, name, roles);
    return await connect({ kind: "operator", subject: name });
  };
  const agentOf = async (id: string) => {
    const installation = await addTestInstallation(store, id, clusterId);
    return (await connect({ kind: "installer", subject: installation, hostId: id, clusterId })).channel;
  };
  const alice = await operatorNamed("alice", { "*": "operator" });
  const agentChannel = await agentOf(hostId);
  const agent = new ShellSessions(TEST_SHELLS);
  const rig: ShellRig = {
    ...{ identity, links, shells, server, agent, hostId, agentChannel, folder },
    operator: client(ShellService, alice.channel),
    operatorSerial: alice.serial,
    operatorChannel: alice.channel,
    ...ruling(identity, clusterId),
    operatorAgain: async (subject) => client(ShellService, (await connect({ kind: "operator", subject })).channel),
    operatorNamed: async (name, roles) => client(ShellService, (await operatorNamed(name, roles)).channel),
    stranger: async () => client(AgentService, await agentOf(await addTestHost(store, clusterId, { name: "h2" }))),
    onCommand: async (shell) => await agent.start(shell, client(AgentService, agentChannel).serveShell),
    recordingOf: async ({ id }, extension) => await readFile(path.join(folder, `${id}.${extension}`)),
    [Symbol.asyncDispose]: async () => {
      await agent.close();
      await shells.stop(200);
      for (const channel of channels) channel.close();
      await server.stop(1000);
      await identity[Symbol.asyncDispose]();
      await rm(state, { recursive: true, force: true });
    },
  };
  return rig;
}

/** What an admin does. */
function ruling(
  identity: TestIdentity,
  clusterId: string,
): Pick<ShellRig, "grant" | "revokeGrant" | "policy" | "setRoles"> {
  const grants = new Grants(identity);
  const clusters = new Clusters(identity);
  const admin = operatorCaller("admin", undefined, "root");
  return {
    grant: async (to, permission, forMs) => {
      const expiresAt = forMs === undefined ? null : identity.clock() + forMs;
      const on = { host: "h1" };
      return (await grants.create(admin, clusterId, { to, on, permission, expiresAt, reason: "test" })).id;
    },
    revokeGrant: async (id) => await grants.delete(admin, id),
    policy: async (shellPolicy) => await clusters.update(actorOfCaller(admin), clusterId, { shellPolicy }, ""),
    setRoles: async (name, roles) => {
      const bindings = Object.entries(roles).map(([cluster, role]) => ({ cluster, role }));
      return await new Operators(identity).setRoles(actorOfCaller(admin), name, bindings);
    },
  };
}

/** An agent's stream in the place of Attach: it does what it is told and answers. */
function attach(
  presence: Presence,
  host: { readonly hostId: string; readonly clusterId: string },
  onCommand: (shell: OpenShell) => Promise<void>,
): void {
  const attached = presence.attach({
    ...host,
    ...{ identity: "spiffe://test", runId: newUuid(), address: "127.0.0.1", version: "0.1.0" },
    send: (init) => {
      const { id, command } = create(CommandSchema, init);
      if (command.case !== "openShell") throw new Error("no shell");
      onCommand(command.value).then(
        () => attached.answered(id, ""),
        (error: unknown) => attached.answered(id, error instanceof Error ? error.message : "failed"),
      );
    },
    close: () => undefined,
  });
}

const HOUR = 3_600_000;
const QUOTAS = { sessionBytes: 1e9, totalBytes: 1e9, keepMs: 1e12 };
const ports = new WeakMap<RpcServer<Caller>, number>();

interface ShellParts {
  readonly shells: Shells;
  readonly links: SessionLinks;
  readonly admission: ShellAdmission;
  readonly recordings: Recordings;
}

async function startServer(identity: TestIdentity, parts: ShellParts): Promise<RpcServer<Caller>> {
  const { store, refusals, principals, authority } = identity;
  const access = new Access(store, refusals);
  const authorize = createAuthorize({ principals, refusals });
  const server = new RpcServer<Caller>({ authorize, expiry: expiryOf, onError: ({ error }) => console.error(error) });
  server.add(
    ShellService,
    shellService({
      ...{ ...parts, access },
      webAddress: () => parseHttpsUrl("https://hpsd.example:7444"),
    }),
  );
  const unused = () => Promise.reject(new HpsError("unimplemented", "not part of this test"));
  server.add(AgentService, {
    attach: async function* () {
      yield await unused();
    },
    getConfiguration: unused,
    issueHostCertificate: unused,
    renewDirectAccess: unused,
    deliverRecording: async function* () {
      yield await unused();
    },
    serveShell: serveShell({ ...parts, access }),
  });
  const keys = makeKey();
  const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };
  const asked = { kind: "server", subject: "hpsd", publicKey: keys.publicKey, lifetimeMs: HOUR, ...names } as const;
  const signed = await authority.sign(asked);
  const certificate = { key: privateKeyPem(keys.privateKey), chain: signed.chainPem };
  ports.set(server, await server.listen({ host: "127.0.0.1", port: 0, certificate }));
  return server;
}

/** All of it, oldest first. */
export async function auditOf(rig: ShellRig): Promise<Awaited<ReturnType<typeof selectAudit>>> {
  return await rig.identity.store.read((db) => selectAudit(db, { clusters: "all", after: 0, limit: 100 }));
}
