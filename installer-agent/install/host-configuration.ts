import { setTimeout as sleep } from "node:timers/promises";
import type { AgentService, Configuration } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { type HostName, parseHostName } from "../../proto/values/host-name.ts";
import { type ErrorCode, HpsError } from "../../proto/values/hps-error.ts";
import { type IpAddress, parseIpAddress } from "../../proto/values/ip-address.ts";
import { type Mac, parseMac } from "../../proto/values/mac.ts";
import { Backoff, type BackoffLimits } from "../link/backoff.ts";
import type { FileRef } from "../link/file-request.ts";
import { type InstallOrder, parseFileSource, parseInstallOrder } from "./install-order.ts";

/** What one host is told, checked. */
export interface HostConfiguration {
  readonly hostId: string;
  readonly hostName: HostName;
  readonly cluster: string;
  /** Empty: none. */
  readonly domain: string;
  readonly macs: readonly Mac[];
  readonly addresses: readonly IpAddress[];
  readonly profile: string;
  readonly tags: ReadonlyMap<string, string>;
  /** Undefined: nothing is to be installed; the agent stops after `configuration`. */
  readonly order: InstallOrder | undefined;
  /** The tools image; undefined where the server has none. */
  readonly tools: FileRef | undefined;
  /** An operator wants the installer for its shell. */
  readonly rescue: boolean;
}

/** Checks what hpsd sent; `hostId` is whose it must be. */
function parseConfiguration(sent: Configuration, hostId: string): HostConfiguration {
  if (sent.hostId !== hostId) {
    throw new HpsError("precondition", `hpsd sent the configuration of host ${sent.hostId} to host ${hostId}`);
  }
  return {
    hostId,
    hostName: parseHostName(sent.hostName),
    cluster: sent.cluster,
    domain: sent.domain,
    macs: sent.macs.map(parseMac),
    addresses: sent.addresses.map(parseIpAddress),
    profile: sent.profile,
    tags: new Map(Object.entries(sent.tags)),
    order: parseInstallOrder(sent),
    tools: sent.tools && parseFileSource(sent.tools, "the tools image"),
    rescue: sent.rescue,
  };
}

/** What passes by itself: a server that restarts must not fail an installation. */
const PASSING: readonly ErrorCode[] = ["unavailable", "deadline", "exhausted", "cancelled"];
const PATIENCE = 5 * 60_000;

export interface ConfigurationOptions {
  readonly service: () => Client<typeof AgentService>;
  readonly hostId: string;
  readonly backoff: BackoffLimits;
}

/** A function that fetches and checks the configuration, once; a failure is not kept. Waits up to 5 minutes for an hpsd that is away. */
export function configurationSource({ service, hostId, backoff }: ConfigurationOptions) {
  let known: HostConfiguration | undefined;
  return async (signal: AbortSignal): Promise<HostConfiguration> => {
    const waits = new Backoff(backoff);
    const end = performance.now() + PATIENCE;
    while (known === undefined) {
      try {
        known = parseConfiguration(await service().getConfiguration({ hostId }, { signal }), hostId);
      } catch (error) {
        const passing = error instanceof HpsError && PASSING.includes(error.code);
        if (!passing || signal.aborted || performance.now() > end) throw error;
        await sleep(waits.next(), undefined, { signal });
      }
    }
    return known;
  };
}
