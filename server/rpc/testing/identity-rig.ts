/** For tests: identity whole, behind a real server over mutual TLS on the loopback. */
import { Health } from "../../../proto/gen/grpc/health/v1/health_pb.ts";
import { AgentService } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { IdentityService } from "../../../proto/gen/hps/v1/identity_pb.ts";
import { type Channel, openChannel } from "../../../proto/rpc/channel.ts";
import { healthHandlers } from "../../../proto/rpc/health.ts";
import { type Client, client } from "../../../proto/rpc/rpc-client.ts";
import { RpcServer } from "../../../proto/rpc/rpc-server.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { CertificateRegister } from "../../core/identity/certificate-register.ts";
import { IntermediateRotation } from "../../core/identity/intermediate-rotation.ts";
import { expiryOf } from "../../core/identity/live-calls.ts";
import { Operators } from "../../core/identity/operators.ts";
import type { Caller } from "../../core/identity/principal.ts";
import { ServerCredentials } from "../../core/identity/server-credentials.ts";
import {
  issueTestPeer,
  openTestIdentity,
  type PeerOptions,
  type TestIdentity,
  type TestPeer,
} from "../../core/testing/test-identity.ts";
import { addTestOperator } from "../../core/testing/test-rows.ts";
import { createAuthorize } from "../authorize.ts";
import { checkContract } from "../contract.ts";
import { identityService } from "../identity-service.ts";

export interface Connected {
  readonly peer: TestPeer | undefined;
  readonly channel: Channel;
  readonly identity: Client<typeof IdentityService>;
  readonly health: Client<typeof Health>;
  readonly agent: Client<typeof AgentService>;
}

export interface IdentityRig extends AsyncDisposable {
  readonly identity: TestIdentity;
  readonly operators: Operators;
  readonly credentials: ServerCredentials;
  readonly server: RpcServer<Caller>;
  /** Unexpected errors of handlers. */
  readonly incidents: unknown[];
  /** A client with this certificate, or with none. */
  readonly connect: (peer?: Pick<TestPeer, "key" | "cert">) => Connected;
  readonly as: (options: PeerOptions) => Promise<Connected>;
  /** An admin of everything, called root. */
  readonly root: Connected;
}

export async function startIdentityRig(): Promise<IdentityRig> {
  const identity = await openTestIdentity();
  const parts = await partsOf(identity);
  const incidents: unknown[] = [];
  const server = new RpcServer<Caller>({
    authorize: createAuthorize(identity),
    expiry: expiryOf,
    onError: ({ error }) => incidents.push(error),
  });
  addServices(server, identity, parts);
  checkContract(server.methods);
  identity.live.connect((which, reason) => server.endCalls(({ principal }) => which(principal), reason));
  const port = await server.listen({ host: "127.0.0.1", port: 0, certificate: parts.credentials.current });
  parts.credentials.onChange((pair) => server.replaceCertificate(pair));
  const channels: Channel[] = [];
  const connect = (peer?: Pick<TestPeer, "key" | "cert">): Connected => {
    const tls = { ca: identity.authority.rootPem, ...(peer && { key: peer.key, cert: peer.cert }) };
    const channel = openChannel({ address: `localhost:${port}`, version: "0.1.0", tls });
    channels.push(channel);
    return { peer: undefined, channel, ...clientsOf(channel) };
  };
  const as = async (options: PeerOptions) => {
    const peer = await issueTestPeer(identity, options);
    return { ...connect(peer), peer };
  };
  await addTestOperator(identity.store, "root", { "*": "admin" });
  const root = await as({ kind: "operator", subject: "root" });
  const dispose = async () => {
    for (const channel of channels) channel.close();
    await server.stop(1000);
    parts.credentials.close();
    await identity[Symbol.asyncDispose]();
  };
  return { identity, ...parts, server, incidents, connect, as, root, [Symbol.asyncDispose]: dispose };
}

function clientsOf(channel: Channel) {
  return {
    identity: client(IdentityService, channel),
    health: client(Health, channel),
    agent: client(AgentService, channel),
  };
}

interface Parts {
  readonly operators: Operators;
  readonly credentials: ServerCredentials;
}

async function partsOf(identity: TestIdentity): Promise<Parts> {
  const names = { name: "hpsd", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };
  const onError = (error: unknown) => {
    throw error;
  };
  const credentials = await ServerCredentials.open({ ...identity, ...names, onError });
  return { operators: new Operators(identity), credentials };
}

function addServices(server: RpcServer<Caller>, identity: TestIdentity, parts: Parts): void {
  const { store, audit, certificates, authority, clock } = identity;
  const register = new CertificateRegister({ store, audit, certificates });
  const rotation = new IntermediateRotation(identity);
  server.add(IdentityService, identityService({ ...parts, register, rotation, authority, clock, version: "0.1.0" }));
  server.add(Health, healthHandlers({ current: () => new Map([["", true]]), subscribe: () => () => undefined }));
  const absent = async () => {
    throw new HpsError("unimplemented", "not in this test");
  };
  server.add(AgentService, {
    // Answers once it is let in, then stays open until it is ended.
    attach: async function* (_requests, { signal }) {
      yield {};
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    },
    getConfiguration: absent,
    issueHostCertificate: absent,
    serveShell: async function* () {
      yield await absent();
    },
    renewDirectAccess: absent,
    deliverRecording: async function* () {
      yield await absent();
    },
  });
}
