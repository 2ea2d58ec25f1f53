/** For tests: the inventory's services on a real server, over TLS on the loopback, with a real store. */
import { getOption } from "@bufbuild/protobuf";
import { access as accessOption, Role as RoleNumber } from "../../../proto/gen/hps/v1/access_pb.ts";
import { AuditService } from "../../../proto/gen/hps/v1/audit_pb.ts";
import { ClusterService } from "../../../proto/gen/hps/v1/cluster_pb.ts";
import { HostService } from "../../../proto/gen/hps/v1/host_pb.ts";
import { SystemService } from "../../../proto/gen/hps/v1/system_pb.ts";
import { type Channel, openChannel } from "../../../proto/rpc/channel.ts";
import { type IncomingCall, pathOf } from "../../../proto/rpc/handlers.ts";
import { client } from "../../../proto/rpc/rpc-client.ts";
import { RpcServer } from "../../../proto/rpc/rpc-server.ts";
import { sharedParty } from "../../../proto/rpc/testing/certificates.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseVersion } from "../../../proto/values/version.ts";
import { AuditVerifier } from "../../core/audit/audit-verifier.ts";
import { type Caller, EVERYWHERE, type Role } from "../../core/identity/principal.ts";
import { type ArmRequest, parseArmRequest } from "../../core/operations/arm-request.ts";
import { systemStatus } from "../../core/system/status.ts";
import { type Inventory, openInventory } from "../../core/testing/inventory.ts";
import { auditService } from "../audit-service.ts";
import { clusterService } from "../cluster-service.ts";
import { hostService } from "../host-service.ts";
import { systemService } from "../system-service.ts";

export interface InventoryRig extends AsyncDisposable {
  readonly inventory: Inventory;
  readonly channel: Channel;
  readonly clusters: ReturnType<typeof client<typeof ClusterService>>;
  readonly hosts: ReturnType<typeof client<typeof HostService>>;
  readonly audit: ReturnType<typeof client<typeof AuditService>>;
  readonly system: ReturnType<typeof client<typeof SystemService>>;
  /** Lets an operator of this name call; roles by cluster id, or EVERYWHERE. Give what it returns as call options. */
  readonly operator: (name: string, roles: Readonly<Record<string, Role>>) => { metadata: { as: string } };
  /** An admin of everything. */
  readonly root: { metadata: { as: string } };
}

const NEEDS = new Map<RoleNumber, Role>([
  [RoleNumber.VIEWER, "viewer"],
  [RoleNumber.OPERATOR, "operator"],
  [RoleNumber.ADMIN, "admin"],
]);

export async function startInventoryRig(): Promise<InventoryRig> {
  const inventory = await openInventory();
  const callers = new Map<string, Readonly<Record<string, Role>>>();
  const server = new RpcServer<Caller>({
    authorize: async (call) => callerOf(call, callers, inventory),
    onError: ({ error }) => inventory.incidents.push(error),
  });
  addServices(server, inventory);
  const { root, server: own, client: peer } = await sharedParty();
  const port = await server.listen({ host: "127.0.0.1", port: 0, certificate: { key: own.key, chain: own.cert } });
  const tls = { ca: root.pem, key: peer.key, cert: peer.cert };
  const channel = openChannel({ address: `localhost:${port}`, version: "0.1.0", tls });
  const operator = (name: string, roles: Readonly<Record<string, Role>>) => {
    callers.set(name, roles);
    return { metadata: { as: name } };
  };
  return {
    inventory,
    channel,
    clusters: client(ClusterService, channel),
    hosts: client(HostService, channel),
    audit: client(AuditService, channel),
    system: client(SystemService, channel),
    operator,
    root: operator("root", { [EVERYWHERE]: "admin" }),
    [Symbol.asyncDispose]: async () => {
      channel.close();
      await server.stop(1000);
      await inventory[Symbol.asyncDispose]();
    },
  };
}

/** Stands for the access interceptor: who it is comes from the metadata, what it needs from the contract. */
function callerOf(
  { method, metadata }: IncomingCall,
  callers: ReadonlyMap<string, Readonly<Record<string, Role>>>,
  inventory: Inventory,
): Caller {
  const name = metadata.get("as") ?? "";
  const roles = callers.get(name);
  if (method === undefined || roles === undefined) throw new HpsError("unauthenticated", "nobody we know");
  const needs = NEEDS.get(getOption(method, accessOption).role) ?? "admin";
  return inventory.caller(name, roles, { action: pathOf(method).slice(1), needs });
}

function addServices(server: RpcServer<Caller>, inventory: Inventory): void {
  const { access, auditLog, clusters, hosts, contacts, watchHosts, attached } = inventory;
  const version = parseVersion("1.4.2");
  const components = [() => ({ name: "store", health: "ok", reason: "" }) as const];
  const sources = { version, startedAt: 1_000, components, agents: () => attached.values() };
  server.add(ClusterService, clusterService({ access, clusters }));
  server.add(AuditService, auditService({ access, auditLog, auditVerifier: new AuditVerifier(inventory.store) }));
  server.add(SystemService, systemService({ access, status: (visible) => systemStatus(sources, visible) }));
  const arm = async (_: Caller, hostId: string, request: ArmRequest, options: object) => ({
    hostId,
    reason: JSON.stringify({ ...parseArmRequest(request), ...options }),
  });
  const disarm = async () => undefined;
  const reboot = async () => undefined;
  server.add(HostService, hostService({ access, hosts, contacts, watchHosts, arm, disarm, reboot }));
}
