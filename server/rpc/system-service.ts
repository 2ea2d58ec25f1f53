import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Health, type SystemService } from "../../proto/gen/hps/v1/system_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import type { Access, VisibleClusters } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { SystemStatus } from "../core/system/status.ts";

const HEALTH = { ok: Health.OK, degraded: Health.DEGRADED, failed: Health.FAILED } as const;

interface Deps {
  readonly access: Access;
  readonly status: (clusters: VisibleClusters) => Promise<SystemStatus>;
}

export function systemService({ access, status }: Deps): Handlers<typeof SystemService, Caller> {
  return {
    getStatus: async (_request, { principal: caller }) => {
      const { version, startedAt, components, agentVersions } = await status(await access.visible(caller, ""));
      return {
        serverVersion: version,
        startTime: timestampFromMs(startedAt),
        components: components.map(({ name, health, reason }) => ({ name, health: HEALTH[health], reason })),
        agentVersions: agentVersions.map((agents) => ({ ...agents })),
      };
    },
  };
}
