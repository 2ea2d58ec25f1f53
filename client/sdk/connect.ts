/**
 * What automation imports. `connect` gives typed clients of every service and helpers that page and follow:
 * `using hps = await connect({ environment: process.env })`.
 */
import type { X509Certificate } from "node:crypto";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { serverIdentityCheck } from "../../certs/server-name.ts";
import { openChannel } from "../../proto/rpc/channel.ts";
import { endpointParts } from "../../proto/values/endpoint.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { VERSION } from "../../proto/values/program-version.ts";
import { type Imports, imports } from "./imports.ts";
import { type Lists, lists } from "./lists.ts";
import { type ConnectOptions, type Profile, readProfile } from "./profile.ts";
import { type Services, servicesOf } from "./services.ts";
import { type Watches, watches } from "./watches.ts";

/** A connection to one hpsd, made with the first call. Close it, or let `using` do it. */
export interface Hps extends Services, Lists, Imports, Watches, Disposable {
  /** `host:port`. */
  readonly server: string;
  /** The cluster of host names that name none. */
  readonly cluster?: string;
  /** Ends every call. */
  readonly close: () => void;
}

/** Reads certificates and key, and opens the connection. Throws an HpsError that names the file or context that is wrong. */
export async function connect(options: ConnectOptions = {}): Promise<Hps> {
  return connectTo(await readProfile(options));
}

/** `connect` for a profile that is already read. */
export function connectTo(profile: Profile): Hps {
  refuseExpired(profile.credentials.certificate);
  const channel = openChannel({
    address: profile.server,
    version: VERSION,
    // A person may be waiting.
    reconnectMs: { first: 200, longest: 3000 },
    tls: {
      ca: profile.root.toString(),
      ...tlsKeyPair(profile.credentials),
      checkServer: ({ raw }) => checkIdentity(profile, raw)?.message,
    },
  });
  const services = servicesOf(channel);
  return {
    ...services,
    ...lists(services),
    ...imports(services),
    ...watches(services),
    server: profile.server,
    ...(profile.cluster !== undefined && { cluster: profile.cluster }),
    close: channel.close,
    [Symbol.dispose]: channel.close,
  };
}

function checkIdentity(profile: Profile, raw: Buffer): Error | undefined {
  return serverIdentityCheck(profile.trustDomain)(endpointParts(profile.server).host, { raw });
}

/** The server would refuse it too, with less to say. */
function refuseExpired(certificate: X509Certificate): void {
  if (Date.now() <= certificate.validToDate.getTime()) return;
  throw new HpsError("unauthenticated", `your certificate expired at ${certificate.validToDate.toISOString()}`, {
    hint: "ask an admin for `hpsctl operator invite`, then run `hpsctl login`",
  });
}
