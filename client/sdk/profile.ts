import type { X509Certificate } from "node:crypto";
import { homedir } from "node:os";
import { authorityTrustDomain } from "../../certs/certificate-identity.ts";
import { type Credentials, readCredentialFiles } from "../../certs/credentials.ts";
import { readCertificatesFile } from "../../certs/files.ts";
import { clientConfigPath, readClientConfig, selectContext } from "../../proto/config/client-config.ts";
import type { Environment } from "../../proto/config/overrides.ts";
import { type Endpoint, parseEndpoint } from "../../proto/values/endpoint.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { HttpsUrl } from "../../proto/values/https-url.ts";

/** A context of hpsctl's contexts file. */
export interface ContextChoice {
  /** Default: HPS_CONTEXT of `environment`, else the current context. */
  readonly context?: string;
  /** Whose HPSCONFIG, HPS_CONTEXT, HPS_CLUSTER, XDG_CONFIG_HOME and HOME count: pass `process.env`. Default: the home folder alone. */
  readonly environment?: Environment;
  /** `host:port` instead of the context's. */
  readonly server?: string;
  /** Instead of the context's. */
  readonly cluster?: string;
}

/** A server named outright; `ca`, `cert` and `key` are paths of PEM files. */
export interface ServerChoice {
  /** `host:port`. */
  readonly server: string;
  readonly ca: string;
  /** Leaf first, then the intermediates. */
  readonly cert: string;
  /** 0600. */
  readonly key: string;
  readonly cluster?: string;
}

export type ConnectOptions = ContextChoice | ServerChoice;

/** One server as one operator sees it, read and checked. */
export interface Profile {
  readonly server: Endpoint;
  /** Where certificates are renewed, when known. */
  readonly https?: HttpsUrl;
  /** The cluster of host names that name none. */
  readonly cluster?: string;
  readonly root: X509Certificate;
  readonly trustDomain: string;
  readonly credentials: Credentials;
  /** Path of the certificate chain, to be replaced at renewal. */
  readonly certificatePath: string;
}

/** Reads what `connect` needs. Errors name the file. */
export async function readProfile(options: ConnectOptions): Promise<Profile> {
  const found = "ca" in options ? namedOutright(options) : await chosenContext(options);
  const [root] = await readCertificatesFile(found.ca);
  if (root === undefined) throw new HpsError("invalid", `${found.ca} holds no certificate`);
  const { server, https, cluster, cert } = found;
  return {
    server: parseEndpoint(server),
    root,
    trustDomain: authorityTrustDomain(root),
    credentials: await readCredentialFiles(found.key, cert),
    certificatePath: cert,
    ...(https !== undefined && { https }),
    ...(cluster !== undefined && { cluster }),
  };
}

interface Found {
  readonly server: string;
  readonly https?: HttpsUrl | undefined;
  readonly cluster?: string | undefined;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

function namedOutright({ server, ca, cert, key, cluster }: ServerChoice): Found {
  return { server, ca, cert, key, cluster };
}

async function chosenContext(options: ContextChoice): Promise<Found> {
  const environment = options.environment ?? { HOME: homedir() };
  const config = await readClientConfig(clientConfigPath(environment));
  const { server, https, ca, certificate, key, cluster } = selectContext(config, options.context, environment);
  return {
    server: options.server ?? server,
    https,
    cluster: options.cluster ?? (environment.HPS_CLUSTER || undefined) ?? cluster,
    ca,
    cert: certificate,
    key,
  };
}
