/** A host's own door, for the time when hpsd is down: the same trust, the same certificate, another port. */
import { tlsKeyPair } from "../../certs/credentials.ts";
import { hostDoorName, hostDoorNameOfId, hostDoorProblem } from "../../certs/host-door.ts";
import { DIRECT_PORT } from "../../proto/direct/list.ts";
import { DirectShellService } from "../../proto/gen/hps/v1/direct_pb.ts";
import { openChannel } from "../../proto/rpc/channel.ts";
import { type Client, client } from "../../proto/rpc/rpc-client.ts";
import { type Endpoint, parseEndpoint, parseServerName } from "../../proto/values/endpoint.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { VERSION } from "../../proto/values/program-version.ts";
import { hostReference, isId } from "./host-names.ts";
import type { Profile } from "./profile.ts";

/** Which host is meant, and where it is looked for. */
export interface DirectTarget {
  readonly endpoint: Endpoint;
  /** What its certificate must have. */
  readonly serverName: string;
  /** `cluster/name` or an id, as a session is asked for by; empty where an address alone was named. */
  readonly host: string;
}

/**
 * `web01`, `lab/web01` or an id, reached at `address` or by its name; or an address or full name, which hpsd must have written into
 * the host's certificate.
 */
export function directTarget(text: string, cluster: string | undefined, address: string | undefined): DirectTarget {
  const at = (where: string) => endpointOf(address ?? where);
  if (isId(text)) {
    if (address === undefined) throw noAddress(text);
    return {
      endpoint: endpointOf(address),
      serverName: hostDoorNameOfId(text.toLowerCase()),
      host: text.toLowerCase(),
    };
  }
  if (/[.:]/.test(text) && !text.includes("/")) {
    const endpoint = at(text);
    return { endpoint, serverName: hostOf(endpointOf(text)), host: "" };
  }
  const host = hostReference(text, cluster);
  const [own = "", name = ""] = host.split("/");
  return { endpoint: at(name), serverName: hostDoorName(own, name), host };
}

/** Connects with the first call. Whatever answers must be that host, by a certificate of our authority. */
export function connectDirect(
  { root, trustDomain, credentials }: Profile,
  { endpoint, serverName }: DirectTarget,
): Disposable & { readonly shells: Client<typeof DirectShellService> } {
  const channel = openChannel({
    address: endpoint,
    version: VERSION,
    tls: {
      ...tlsKeyPair(credentials),
      ca: root.toString(),
      serverName,
      checkServer: (certificate) => hostDoorProblem(trustDomain, certificate),
    },
  });
  return { shells: client(DirectShellService, channel), [Symbol.dispose]: channel.close };
}

/** With the usual port where none is named. */
function endpointOf(text: string): Endpoint {
  const isBare = /^[^:]*$/.test(text) || (text.includes("::") && !text.includes("]")) || text.split(":").length > 2;
  if (text.startsWith("[") || !isBare) return parseEndpoint(text.endsWith("]") ? `${text}:${DIRECT_PORT}` : text);
  const name = parseServerName(text);
  return parseEndpoint(name.includes(":") ? `[${name}]:${DIRECT_PORT}` : `${name}:${DIRECT_PORT}`);
}

function hostOf(endpoint: Endpoint): string {
  return endpoint.slice(0, endpoint.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

function noAddress(id: string): HpsError {
  return new HpsError("invalid", `host ${id} has no name that could be looked up`, {
    hint: "say where it is: --address",
  });
}
