import { AuditService } from "../../proto/gen/hps/v1/audit_pb.ts";
import { ClusterService } from "../../proto/gen/hps/v1/cluster_pb.ts";
import { GrantService } from "../../proto/gen/hps/v1/grant_pb.ts";
import { HostService } from "../../proto/gen/hps/v1/host_pb.ts";
import { IdentityService } from "../../proto/gen/hps/v1/identity_pb.ts";
import { ImageService, InstallerService } from "../../proto/gen/hps/v1/image_pb.ts";
import { InstallationService } from "../../proto/gen/hps/v1/installation_pb.ts";
import { ShellService } from "../../proto/gen/hps/v1/shell_pb.ts";
import { SystemService } from "../../proto/gen/hps/v1/system_pb.ts";
import type { Channel } from "../../proto/rpc/channel.ts";
import { type Client, client } from "../../proto/rpc/rpc-client.ts";

/** The services of hpsd, one client each. Every call rejects with an HpsError. */
export interface Services {
  readonly clusters: Client<typeof ClusterService>;
  readonly hosts: Client<typeof HostService>;
  readonly installations: Client<typeof InstallationService>;
  readonly images: Client<typeof ImageService>;
  readonly installers: Client<typeof InstallerService>;
  readonly grants: Client<typeof GrantService>;
  readonly shells: Client<typeof ShellService>;
  readonly identity: Client<typeof IdentityService>;
  readonly audit: Client<typeof AuditService>;
  readonly system: Client<typeof SystemService>;
}

export function servicesOf(channel: Channel): Services {
  return {
    clusters: client(ClusterService, channel),
    hosts: client(HostService, channel),
    installations: client(InstallationService, channel),
    images: client(ImageService, channel),
    installers: client(InstallerService, channel),
    grants: client(GrantService, channel),
    shells: client(ShellService, channel),
    identity: client(IdentityService, channel),
    audit: client(AuditService, channel),
    system: client(SystemService, channel),
  };
}
