import type { AgentService, Configuration } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { type HostName, parseHostName } from "../../proto/values/host-name.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type IpAddress, parseIpAddress } from "../../proto/values/ip-address.ts";
import { type Mac, parseMac } from "../../proto/values/mac.ts";
import type { Uuid } from "../../proto/values/uuid.ts";
import type { BackoffLimits } from "../link/backoff.ts";
import type { FileRef } from "../link/file-request.ts";
import { patiently } from "../link/patient-call.ts";
import { parseFileSource } from "./file-source.ts";
import { type InstallOrder, parseInstallOrder } from "./install-order.ts";

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

/** Checks what hpsd sent, and that it is for us. */
function parseConfiguration(sent: Configuration, hostId: string, installation: Uuid): HostConfiguration {
  if (sent.hostId !== hostId) {
    throw new HpsError("precondition", `hpsd sent the configuration of host ${sent.hostId} to host ${hostId}`);
  }
  const order = parseInstallOrder(sent);
  if (order !== undefined && order.installation !== installation) {
    throw new HpsError("precondition", `hpsd sent the order of installation ${order.installation} to ${installation}`);
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
    order,
    tools: sent.tools && parseFileSource(sent.tools, "the tools image"),
    rescue: sent.rescue,
  };
}

export interface ConfigurationOptions {
  readonly service: () => Client<typeof AgentService>;
  /** Whose it must be, and of which installation. */
  readonly host: string;
  readonly installation: Uuid;
  readonly backoff: BackoffLimits;
}

/** The host's configuration, fetched and checked once. */
export interface ConfigurationSource {
  /** A failure is not kept. Waits up to 5 minutes for an hpsd that is away. */
  readonly ask: (signal: AbortSignal) => Promise<HostConfiguration>;
  /** As it is now, for what no step works by: nothing is kept. */
  readonly look: (signal: AbortSignal) => Promise<HostConfiguration>;
  /** What is asked next is fetched anew: it may allow what it did not. */
  readonly forget: () => void;
}

export function configurationSource({
  service,
  host,
  installation,
  backoff,
}: ConfigurationOptions): ConfigurationSource {
  let known: HostConfiguration | undefined;
  const look = async (signal: AbortSignal): Promise<HostConfiguration> =>
    await patiently(
      async () =>
        parseConfiguration(await service().getConfiguration({ hostId: host }, { signal }), host, installation),
      backoff,
      signal,
    );
  const ask = async (signal: AbortSignal): Promise<HostConfiguration> => {
    known ??= await look(signal);
    return known;
  };
  const forget = () => {
    known = undefined;
  };
  return { ask, look, forget };
}
