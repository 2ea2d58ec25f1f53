import { readRequest } from "../../certs/csr.ts";
import type { publicAddresses, ServerConfig } from "../../proto/config/server-config.ts";
import { endpointOf, parsePort } from "../../proto/values/endpoint.ts";
import { httpsUrlParts } from "../../proto/values/https-url.ts";
import { parseIpv4 } from "../../proto/values/ip-address.ts";
import { type Ipv4Network, networkContains } from "../../proto/values/ipv4-network.ts";
import type { Core } from "../core/core.ts";
import { agentFile } from "../core/files/agent-files.ts";
import { type EstDeps, estRoutes } from "../http/est.ts";
import { fileRoutes } from "../http/files.ts";
import { DOWNLOADS, HeldOpen } from "../http/held-open.ts";
import type { HttpsDoorOptions } from "../http/https-door.ts";
import { monitoringRoutes } from "../http/monitoring.ts";
import { PieceBuffers } from "../http/piece-buffers.ts";
import { originOf } from "../http/web-origin.ts";
import { WebDoor } from "../http/web-routes.ts";
import type { Metrics } from "./metrics.ts";
import type { Serving } from "./serving.ts";

const LOOPBACK = parseIpv4("127.0.0.1");

export interface HttpsNeeds {
  readonly core: Core;
  readonly metrics: Metrics;
  readonly config: ServerConfig;
  readonly serving: Serving;
  /** Where this server is reached, once its ports are known. */
  readonly addresses: () => ReturnType<typeof publicAddresses>;
  readonly onError: HttpsDoorOptions["onError"];
}

/** What the HTTPS door serves: enrolment, files, web terminal, health, metrics. */
export function httpsRoutes({ core, metrics, config, serving, ...web }: HttpsNeeds): HttpsDoorOptions["routes"] {
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
  const files = filesOf(core, { metrics, config, refused });
  const pages = webOf(core, { metrics, config, refused, ...web });
  return config.metrics.enabled ? [est, files, pages, monitoring] : [est, files, pages];
}

interface WebNeeds extends Pick<HttpsNeeds, "metrics" | "config" | "addresses" | "onError"> {
  readonly refused: EstDeps["refused"];
}

function webOf(core: Core, { metrics, config, addresses, onError, refused }: WebNeeds) {
  const web = new WebDoor({
    ...core,
    ...{ refused, onError },
    resolve: (chain) => core.principals.resolve(chain),
    origins: () => ownOrigins(config, addresses()),
  });
  metrics.watchTerminals(() => web.count);
  return web.routes;
}

/** Every name of the configuration at the port of the address that is told to others. */
function ownOrigins({ server }: ServerConfig, { https }: ReturnType<typeof publicAddresses>): readonly string[] {
  const { port } = httpsUrlParts(https);
  const names = server.names.map((name) => endpointOf(name, parsePort(String(port))));
  return [https.slice("https://".length), ...names].flatMap((authority) => originOf(authority) ?? []);
}

function filesOf(core: Core, { metrics, config, refused }: Omit<WebNeeds, "addresses" | "onError">) {
  const downloads = new HeldOpen(DOWNLOADS);
  core.live.connect((which, reason) => downloads.end(which, reason));
  metrics.watchDownloads(() => downloads.count);
  return fileRoutes({
    ...{ refused, downloads, buffers: new PieceBuffers() },
    ...{ onSent: metrics.onFileBytes, perMinute: config.limits.requestsPerMinute },
    resolve: (chain) => core.principals.resolve(chain),
    fileFor: (caller, digest) => agentFile(core, caller, digest),
  });
}

function isAllowed(address: string, networks: readonly Ipv4Network[]): boolean {
  if (address === "::1") return networks.some((network) => networkContains(network, LOOPBACK));
  return !address.includes(":") && networks.some((network) => networkContains(network, parseIpv4(address)));
}
