import { file_grpc_health_v1_health, Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { AgentService, file_hps_v1_agent } from "../../proto/gen/hps/v1/agent_pb.ts";
import { AuditService, file_hps_v1_audit } from "../../proto/gen/hps/v1/audit_pb.ts";
import { ClusterService, file_hps_v1_cluster } from "../../proto/gen/hps/v1/cluster_pb.ts";
import { file_hps_v1_grant, GrantService } from "../../proto/gen/hps/v1/grant_pb.ts";
import { file_hps_v1_host, HostService } from "../../proto/gen/hps/v1/host_pb.ts";
import { file_hps_v1_identity, IdentityService } from "../../proto/gen/hps/v1/identity_pb.ts";
import { file_hps_v1_image, ImageService, InstallerService } from "../../proto/gen/hps/v1/image_pb.ts";
import { file_hps_v1_installation, InstallationService } from "../../proto/gen/hps/v1/installation_pb.ts";
import { file_hps_v1_shell, ShellService } from "../../proto/gen/hps/v1/shell_pb.ts";
import { file_hps_v1_system, SystemService } from "../../proto/gen/hps/v1/system_pb.ts";
import { healthHandlers } from "../../proto/rpc/health.ts";
import { reflectionHandlers } from "../../proto/rpc/reflection.ts";
import { RpcServer, type RpcServerOptions } from "../../proto/rpc/rpc-server.ts";
import type { Version } from "../../proto/values/version.ts";
import type { Core } from "../core/core.ts";
import { approveEnrolment } from "../core/gate/approval.ts";
import { hostConfiguration } from "../core/hosts/host-configuration.ts";
import { watchHosts } from "../core/hosts/host-watch.ts";
import { rebootHost } from "../core/hosts/reboot-host.ts";
import type { VisibleClusters } from "../core/identity/access.ts";
import { expiryOf } from "../core/identity/live-calls.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { ServerCredentials } from "../core/identity/server-credentials.ts";
import { issueHostCertificate } from "../core/operations/host-certificate.ts";
import type { SystemStatus } from "../core/system/status.ts";
import { agentService } from "./agent-service.ts";
import { auditService } from "./audit-service.ts";
import { createAuthorize } from "./authorize.ts";
import { clusterService } from "./cluster-service.ts";
import { checkContract } from "./contract.ts";
import { directMethods } from "./direct-methods.ts";
import { grantService } from "./grant-service.ts";
import { hostService } from "./host-service.ts";
import { identityService } from "./identity-service.ts";
import { imageService, installerService } from "./image-service.ts";
import { installationMessage } from "./installation-message.ts";
import { installationService } from "./installation-service.ts";
import { serveShell } from "./serve-shell.ts";
import { shellService } from "./shell-service.ts";
import { systemService } from "./system-service.ts";

export interface RpcDoorOptions extends Pick<RpcServerOptions<Caller>, "onError" | "onCall" | "limits"> {
  readonly core: Core;
  readonly credentials: ServerCredentials;
  readonly version: Version;
  readonly status: (clusters: VisibleClusters) => Promise<SystemStatus>;
  /** Whether hpsd can do its work, and whom to tell when that changes. */
  readonly health: { readonly current: () => boolean; readonly subscribe: (listener: () => void) => () => void };
}

/** The gRPC server with every service of the contract. Throws when a method says not who may call it. */
export function createRpcDoor(options: RpcDoorOptions): RpcServer<Caller> {
  const { core, credentials, onError, onCall, limits } = options;
  const server = new RpcServer<Caller>({
    authorize: createAuthorize(core),
    expiry: expiryOf,
    onError,
    ...(onCall && { onCall }),
    ...(limits && { limits }),
  });
  addOperatorServices(server, options);
  addAgentService(server, core, credentials);
  addStandardServices(server, options);
  checkContract(server.methods);
  core.live.connect((which, reason) => server.endCalls(({ principal }) => which(principal), reason));
  credentials.onChange((pair) => server.replaceCertificate(pair));
  return server;
}

function addOperatorServices(server: RpcServer<Caller>, { core, credentials, version, status }: RpcDoorOptions): void {
  const { access, installations, gate } = core;
  server
    .add(ClusterService, clusterService(core))
    .add(
      HostService,
      hostService({
        ...core,
        watchHosts: (clusters, after, signal) => watchHosts(core, clusters, after, signal),
        arm: async (caller, hostId, request, options) =>
          installationMessage(await installations.arm(caller, hostId, request, options)),
        disarm: (caller, hostId) => installations.disarm(caller, hostId),
        reboot: (caller, wish) => rebootHost(core, caller, wish),
      }),
    )
    .add(
      InstallationService,
      installationService({
        ...{ access, installations },
        approve: (caller, id, fingerprint) => approveEnrolment(gate.parts, caller, id, fingerprint),
        issueClaim: (caller, id) => gate.claims.issue(caller, id),
      }),
    )
    .add(ImageService, imageService(core))
    .add(InstallerService, installerService(core.installers))
    .add(GrantService, grantService(core))
    .add(ShellService, shellService({ ...core, webAddress: () => gate.parts.settings.addresses().https }))
    .add(IdentityService, identityService({ ...core, credentials, version }))
    .add(AuditService, auditService(core))
    .add(SystemService, systemService({ access, status }));
}

function addAgentService(server: RpcServer<Caller>, core: Core, credentials: ServerCredentials): void {
  server.add(
    AgentService,
    agentService({
      ...core,
      configurationOf: (of) => core.store.read((db) => hostConfiguration(db, core, of)),
      issueHostCertificate: (caller, request) => issueHostCertificate(core, caller, request),
      serveShell: serveShell(core),
      direct: directMethods({ ...core, signer: () => credentials.current }),
    }),
  );
}

const FILES = [
  file_hps_v1_agent,
  file_hps_v1_audit,
  file_hps_v1_cluster,
  file_hps_v1_grant,
  file_hps_v1_host,
  file_hps_v1_identity,
  file_hps_v1_image,
  file_hps_v1_installation,
  file_hps_v1_shell,
  file_hps_v1_system,
  file_grpc_health_v1_health,
];

function addStandardServices(server: RpcServer<Caller>, { health }: RpcDoorOptions): void {
  const current = () => new Map([["", health.current()]]);
  server.add(Health, healthHandlers({ current, subscribe: health.subscribe }));
  server.add(ServerReflection, reflectionHandlers(FILES));
}
