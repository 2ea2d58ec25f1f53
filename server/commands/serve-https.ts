import { readRequest } from "../../certs/csr.ts";
import type { ServerConfig } from "../../proto/config/server-config.ts";
import type { Core } from "../core/core.ts";
import { type EstDeps, estRoutes } from "../http/est.ts";
import type { HttpsDoorOptions } from "../http/https-door.ts";
import { monitoringRoutes } from "../http/monitoring.ts";
import type { Metrics } from "./metrics.ts";

export interface HttpsNeeds {
  readonly core: Core;
  readonly metrics: Metrics;
  readonly config: ServerConfig;
}

/** What the HTTPS door serves: enrolment, health, metrics. */
export function httpsRoutes({ core, metrics, config }: HttpsNeeds): HttpsDoorOptions["routes"] {
  const refused: EstDeps["refused"] = (who, reason) => core.refusals.refused(who, { reason });
  const est = estRoutes({
    refused,
    authorities: () => core.authority.certificates,
    enrolByClaim: ({ token, csr, facts, address }) =>
      core.gate.enrolment.enrol({ token, publicKey: readRequest(csr), facts, address }),
    enrolByInvitation: (ask) => core.enrolment.byInvitation(ask),
    renew: (ask) => core.renewal.renew(ask),
  });
  const monitoring = monitoringRoutes({
    registry: metrics.registry,
    healthy: () => true,
    resolve: (chain) => core.principals.resolve(chain),
    refused,
  });
  return config.metrics.enabled ? [est, monitoring] : [est];
}
