import { readRequest } from "../../certs/csr.ts";
import type { ServerConfig } from "../../proto/config/server-config.ts";
import { parseIpv4 } from "../../proto/values/ip-address.ts";
import { type Ipv4Network, networkContains } from "../../proto/values/ipv4-network.ts";
import type { Core } from "../core/core.ts";
import { agentFile } from "../core/files/agent-files.ts";
import { Downloads } from "../http/downloads.ts";
import { type EstDeps, estRoutes } from "../http/est.ts";
import { fileRoutes } from "../http/files.ts";
import type { HttpsDoorOptions } from "../http/https-door.ts";
import { monitoringRoutes } from "../http/monitoring.ts";
import type { Metrics } from "./metrics.ts";
import type { Serving } from "./serving.ts";

const LOOPBACK = parseIpv4("127.0.0.1");

export interface HttpsNeeds {
  readonly core: Core;
  readonly metrics: Metrics;
  readonly config: ServerConfig;
  readonly serving: Serving;
}

/** What the HTTPS door serves: enrolment, files, health, metrics. */
export function httpsRoutes({ core, metrics, config, serving }: HttpsNeeds): HttpsDoorOptions["routes"] {
  const refused: EstDeps["refused"] = (who, reason) => core.refusals.refused(who, { reason });
  const est = estRoutes({
    refused,
    enrolmentsPerMinute: config.limits.enrolmentsPerMinute,
    authorities: () => core.authority.certificates,
    enrolByClaim: ({ token, csr, facts, address }) =>
      core.gate.enrolment.enrol({ token, publicKey: readRequest(csr), facts, address }),
    enrolByInvitation: (ask) => core.enrolment.byInvitation(ask),
    renew: (ask) => core.renewal.renew(ask),
  });
  const monitoring = monitoringRoutes({
    registry: metrics.registry,
    allowed: (address) => isAllowed(address, config.metrics.allow),
    healthy: serving.current,
    resolve: (chain) => core.principals.resolve(chain),
    refused,
  });
  const files = filesOf(core, metrics, refused);
  return config.metrics.enabled ? [est, files, monitoring] : [est, files];
}

function filesOf(core: Core, metrics: Metrics, refused: EstDeps["refused"]) {
  const downloads = new Downloads();
  core.live.connect((which, reason) => downloads.end(which, reason));
  metrics.watchDownloads(() => downloads.count);
  return fileRoutes({
    ...{ refused, downloads, onSent: metrics.onFileBytes },
    resolve: (chain) => core.principals.resolve(chain),
    fileFor: (caller, digest) => agentFile(core, caller, digest),
  });
}

function isAllowed(address: string, networks: readonly Ipv4Network[]): boolean {
  if (address === "::1") return networks.some((network) => networkContains(network, LOOPBACK));
  return !address.includes(":") && networks.some((network) => networkContains(network, parseIpv4(address)));
}
