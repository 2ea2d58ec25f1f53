import type { FastifyRequest } from "fastify";
import type { Registry } from "prom-client";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Principal } from "../core/identity/principal.ts";
import type { DoorApp } from "./https-door.ts";
import { addressOf, chainOf } from "./peer.ts";

/** Writes the one audit event of a refusal; answers with its incident id. */
export type RecordsRefusal = (
  who: { readonly actor: string; readonly action: string; readonly address: string },
  reason: string,
) => Promise<string>;

export interface MonitoringDeps {
  readonly registry: Pick<Registry, "metrics" | "contentType">;
  /** Whose collectors need no certificate: metrics are counts, no names. */
  readonly allowed: (address: string) => boolean;
  /** Whether hpsd can do its work now. */
  readonly healthy: () => boolean;
  readonly resolve: (chain: readonly Buffer[]) => Promise<Principal>;
  readonly refused: RecordsRefusal;
}

/**
 * `/healthz` for anyone: one word. `/metrics` for operators, and for the networks the configuration allows: by default this
 * machine's own, where the collector usually runs and where whoever can connect sees the process anyway.
 */
export function monitoringRoutes(deps: MonitoringDeps): (app: DoorApp) => void {
  return (app) => {
    app.get("/healthz", (_request, reply) => {
      const healthy = deps.healthy();
      return reply
        .code(healthy ? 200 : 503)
        .type("text/plain")
        .send(healthy ? "ok\n" : "not ok\n");
    });
    app.get("/metrics", { config: { rateLimit: {} } }, async (request, reply) => {
      if (!deps.allowed(addressOf(request))) await requireOperator(deps, request);
      return await reply.type(deps.registry.contentType).send(await deps.registry.metrics());
    });
  };
}

async function requireOperator(deps: MonitoringDeps, request: FastifyRequest): Promise<void> {
  const address = addressOf(request);
  const who = { actor: `address:${address}`, action: "read-metrics", address };
  try {
    const principal = await deps.resolve(chainOf(request));
    if (principal.kind === "operator") return;
    throw new HpsError("unauthenticated", "metrics need an operator's certificate");
  } catch (error) {
    if (!(error instanceof HpsError) || error.code !== "unauthenticated") throw error;
    const incident = await deps.refused({ ...who, actor: error.details.identity ?? who.actor }, error.message);
    throw new HpsError(error.code, error.message, { hint: error.hint, details: { ...error.details, incident } });
  }
}
