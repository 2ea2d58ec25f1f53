/** For tests: agents and installations on a real server, over TLS on the loopback, with a real store. */
import { AgentService } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { InstallationService } from "../../../proto/gen/hps/v1/installation_pb.ts";
import { openChannel } from "../../../proto/rpc/channel.ts";
import { type IncomingCall, pathOf } from "../../../proto/rpc/handlers.ts";
import { client } from "../../../proto/rpc/rpc-client.ts";
import { RpcServer } from "../../../proto/rpc/rpc-server.ts";
import { sharedParty } from "../../../proto/rpc/testing/certificates.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { hostConfiguration } from "../../core/hosts/host-configuration.ts";
import { Access } from "../../core/identity/access.ts";
import type { Caller, InstallerPrincipal } from "../../core/identity/principal.ts";
import {
  ALICE,
  type Operations,
  type OperationsOptions,
  openOperations,
  peerOf,
} from "../../core/operations/testing.ts";
import { addTestHost } from "../../core/testing/open-test-store.ts";
import { type AgentServiceDeps, agentService } from "../agent-service.ts";
import { installationService } from "../installation-service.ts";

type OperationsRig = Awaited<ReturnType<typeof startOperationsRig>>;

/** Armed and enrolled, on a host of its own. */
export async function enrolled({ core }: OperationsRig, image = "") {
  const hostId = await addTestHost(core.store, core.clusterId);
  const { id } = await core.installations.arm(ALICE, hostId, { image, wipeDiskSerials: ["S1"] });
  await core.store.write(async (tx) => void (await core.installations.apply(tx, id, "enrol", { actor: "test" })));
  return { installationId: id, hostId };
}

export async function startOperationsRig(options: OperationsOptions = {}) {
  const core = await openOperations(options);
  const incidents: unknown[] = [];
  const approved: string[] = [];
  const principals = new Map<string, Caller["principal"]>([["alice", ALICE.principal]]);
  const server = new RpcServer<Caller>({
    authorize: async (call) => callerOf(call, principals),
    onError: ({ error }) => incidents.push(error),
  });
  const access = new Access(core.store, core.audit);
  const approve = async (_: Caller, id: string, fingerprint: string) => void approved.push(`${id} ${fingerprint}`);
  const issueClaim = async () => {
    throw new HpsError("unimplemented", "the gate's, and tested there");
  };
  server.add(
    InstallationService,
    installationService({ access, installations: core.installations, approve, issueClaim }),
  );
  server.add(AgentService, agentService({ access, agents: core.agents, ...othersOf(core) }));
  const { root, server: own, client: peer } = await sharedParty();
  const port = await server.listen({ host: "127.0.0.1", port: 0, certificate: { key: own.key, chain: own.cert } });
  const tls = { ca: root.pem, key: peer.key, cert: peer.cert };
  const open = () => openChannel({ address: `localhost:${port}`, version: "0.1.0", tls });
  const channels = [open()];
  return {
    ...{ core, server, incidents, approved },
    installations: client(InstallationService, channels[0] ?? open()),
    /** On a connection of its own. */
    agents: () => {
      const channel = open();
      channels.push(channel);
      return client(AgentService, channel);
    },
    alice: { metadata: { as: "alice" } },
    /** Lets an installer of this installation call; give what it returns as call options. */
    installer: (of: Pick<InstallerPrincipal, "installationId" | "hostId">) => {
      const certificate = peerOf(`installer/${of.installationId}`, core.time.now);
      principals.set(of.installationId, { kind: "installer", clusterId: core.clusterId, ...of, certificate });
      return { metadata: { as: of.installationId } };
    },
    [Symbol.asyncDispose]: async () => {
      for (const channel of channels) channel.close();
      await server.stop(1000);
      await core.agents.stop(1000);
      await core[Symbol.asyncDispose]();
    },
  };
}

/** Stands for the access interceptor: who it is comes from the metadata. */
function callerOf({ method, metadata }: IncomingCall, principals: ReadonlyMap<string, Caller["principal"]>): Caller {
  const principal = principals.get(metadata.get("as") ?? "");
  if (method === undefined || principal === undefined) throw new HpsError("unauthenticated", "nobody we know");
  return { principal, action: pathOf(method).slice(1), address: "192.0.2.1", needs: "operator" };
}

function othersOf({
  store,
  targetLink,
}: Pick<Operations, "store" | "targetLink">): Omit<AgentServiceDeps, "access" | "agents"> {
  const tools = { digest: "b".repeat(64), sizeBytes: 24 };
  return {
    configurationOf: (of) =>
      store.read((db) => hostConfiguration(db, { targetLink, installers: { file: () => tools } }, of)),
    issueHostCertificate: async ({ principal }, request) => `${principal.hostId} ${request.length}`,
    // biome-ignore lint/correctness/useYield: a shell is not what these tests are about
    serveShell: async function* () {
      throw new HpsError("unimplemented", "no shells here");
    },
    direct: {
      renewDirectAccess: () => Promise.reject(new HpsError("unimplemented", "no shells here")),
      // biome-ignore lint/correctness/useYield: as above
      deliverRecording: async function* () {
        throw new HpsError("unimplemented", "no shells here");
      },
    },
  };
}
