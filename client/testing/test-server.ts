/** A small hpsd of tests: real mTLS, the services of the contract over objects in memory, a contexts file that leads to it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type DescService, type MessageInitShape } from "@bufbuild/protobuf";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { writeCertificatesFile, writePrivateKeyFile } from "../../certs/files.ts";
import { privateKeyPem } from "../../certs/key.ts";
import { sharedParty, type TestChain, type TestPeer } from "../../certs/test-chain.ts";
import { AuditService } from "../../proto/gen/hps/v1/audit_pb.ts";
import { ClusterService } from "../../proto/gen/hps/v1/cluster_pb.ts";
import { GrantService } from "../../proto/gen/hps/v1/grant_pb.ts";
import { type Host, HostSchema, HostService } from "../../proto/gen/hps/v1/host_pb.ts";
import { IdentityService } from "../../proto/gen/hps/v1/identity_pb.ts";
import { ImageService, InstallerService } from "../../proto/gen/hps/v1/image_pb.ts";
import { InstallationService } from "../../proto/gen/hps/v1/installation_pb.ts";
import { ShellService } from "../../proto/gen/hps/v1/shell_pb.ts";
import { SystemService } from "../../proto/gen/hps/v1/system_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { RpcServer } from "../../proto/rpc/rpc-server.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { VERSION } from "../../proto/values/program-version.ts";

/** The handlers a test is about; every other method is unimplemented. */
export interface TestHandlers {
  readonly hosts?: Partial<Handlers<typeof HostService>>;
  readonly clusters?: Partial<Handlers<typeof ClusterService>>;
  readonly installations?: Partial<Handlers<typeof InstallationService>>;
  readonly images?: Partial<Handlers<typeof ImageService>>;
  readonly installers?: Partial<Handlers<typeof InstallerService>>;
  readonly grants?: Partial<Handlers<typeof GrantService>>;
  readonly shells?: Partial<Handlers<typeof ShellService>>;
  readonly identity?: Partial<Handlers<typeof IdentityService>>;
  readonly audit?: Partial<Handlers<typeof AuditService>>;
  readonly system?: Partial<Handlers<typeof SystemService>>;
}

export interface TestServer {
  readonly chain: TestChain;
  readonly operator: TestPeer;
  readonly folder: string;
  readonly port: number;
  /** For `fakeTerminal`: HPSCONFIG with one context, `test`, of cluster `lab`. */
  readonly environment: Readonly<Record<string, string>>;
  /** `hps-version` of every call, in order. */
  readonly versions: readonly string[];
  readonly rpc: RpcServer<string>;
  readonly stop: () => Promise<void>;
}

export async function startTestServer(
  handlers: TestHandlers = {},
  serverVersion: string = VERSION,
): Promise<TestServer> {
  const { chain, server, operator } = await sharedParty();
  const versions: string[] = [];
  const rpc = new RpcServer<string>({
    authorize: async ({ metadata, peer }) => {
      if (peer.certificateChain.length === 0) throw new HpsError("unauthenticated", "no client certificate");
      versions.push(metadata.get("hps-version") ?? "");
      return "alice";
    },
    onError: () => undefined,
  });
  const whoAmI: Partial<Handlers<typeof IdentityService>> = {
    whoAmI: async () => ({ identity: "spiffe://example.org/operator/alice", serverVersion }),
  };
  add(rpc, HostService, handlers.hosts);
  add(rpc, ClusterService, handlers.clusters);
  add(rpc, InstallationService, handlers.installations);
  add(rpc, ImageService, handlers.images);
  add(rpc, InstallerService, handlers.installers);
  add(rpc, GrantService, handlers.grants);
  add(rpc, ShellService, handlers.shells);
  add(rpc, IdentityService, { ...whoAmI, ...handlers.identity });
  add(rpc, AuditService, handlers.audit);
  add(rpc, SystemService, handlers.system);
  const { key, cert } = tlsKeyPair({ ...server, intermediates: [chain.intermediate.certificate] });
  const port = await rpc.listen({ host: "127.0.0.1", port: 0, certificate: { key, chain: cert } });
  const folder = await mkdtemp(join(tmpdir(), "hpsctl-"));
  await writeContext(folder, `localhost:${port}`, chain, operator);
  const stop = async () => {
    await rpc.stop(500);
    await rm(folder, { recursive: true, force: true });
  };
  const environment = { HPSCONFIG: join(folder, "config.yaml"), TERM: "xterm" };
  return { chain, operator, folder, port, environment, versions, rpc, stop };
}

/** Methods without a handler are unimplemented. */
function add<S extends DescService>(rpc: RpcServer<string>, service: S, handlers: Partial<Handlers<S>> = {}): void {
  const missing = Object.values(service.method).map(({ localName, name, methodKind }) => {
    const refuse = () => {
      throw new HpsError("unimplemented", `${name} is not there`);
    };
    const streams = methodKind === "server_streaming" || methodKind === "bidi_streaming";
    // biome-ignore lint/correctness/useYield: a stream that fails at once
    const stream = async function* () {
      refuse();
    };
    return [localName, streams ? stream : async () => refuse()];
  });
  // Wire boundary of tests: every method was given a function of its kind just above.
  rpc.add(service, { ...Object.fromEntries(missing), ...handlers } as Handlers<S, string>);
}

/** One context, `test`, with files beside it. */
async function writeContext(
  folder: string,
  server: string,
  chain: TestChain,
  { certificate, privateKey }: TestPeer,
): Promise<void> {
  await writePrivateKeyFile(join(folder, "key.pem"), privateKeyPem(privateKey));
  await writeCertificatesFile(join(folder, "cert.pem"), [certificate, chain.intermediate.certificate]);
  await writeCertificatesFile(join(folder, "ca.pem"), [chain.root.certificate]);
  const { writeClientConfig, parseClientConfig } = await import("../../proto/config/client-config.ts");
  const context = {
    name: "test",
    server,
    cluster: "lab",
    ca: join(folder, "ca.pem"),
    certificate: join(folder, "cert.pem"),
    key: join(folder, "key.pem"),
  };
  const text = JSON.stringify({ currentContext: "test", contexts: [context] });
  await writeClientConfig(join(folder, "config.yaml"), parseClientConfig(text, "test"));
}

/** Host `lab/web<number>`, with what `fields` say. */
export function testHost(number: number, fields: MessageInitShape<typeof HostSchema> = {}): Host {
  const digits = String(number).padStart(4, "0");
  return create(HostSchema, {
    id: `01900000-0000-7000-8000-00000000${digits}`,
    cluster: "lab",
    name: `web${digits}`,
    macs: [`52:54:00:00:${digits.slice(0, 2)}:${digits.slice(2)}`],
    state: 1,
    etag: '"1"',
    ...fields,
  });
}

/** List and get over `hosts`, in pages of at most 100. */
export function hostReaders(hosts: readonly Host[]): Partial<Handlers<typeof HostService>> {
  return {
    listHosts: async ({ pageSize, pageToken }) => {
      const from = Number(pageToken || "0");
      const until = from + Math.min(pageSize, 100);
      return { hosts: hosts.slice(from, until), nextPageToken: until < hosts.length ? String(until) : "" };
    },
    getHost: async ({ host }) => {
      const found = hosts.find(({ id, cluster, name }) => id === host || `${cluster}/${name}` === host);
      if (found === undefined) throw new HpsError("not-found", `no host ${host}`);
      return found;
    },
  };
}
