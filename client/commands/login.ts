import { mkdir, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { certificateIdentity } from "../../certs/certificate-identity.ts";
import type { Credentials } from "../../certs/credentials.ts";
import { writeCertificatesFile, writePrivateKeyFile } from "../../certs/files.ts";
import { identityText } from "../../certs/identity.ts";
import { makeKey, privateKeyPem } from "../../certs/key.ts";
import {
  type ClientContext,
  clientConfigPath,
  parseClientConfig,
  readClientConfig,
  withContext,
  writeClientConfig,
} from "../../proto/config/client-config.ts";
import { type Endpoint, endpointOf, parseEndpoint, parsePort, parseServerName } from "../../proto/values/endpoint.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type HttpsUrl, httpsUrlParts, parseHttpsUrl } from "../../proto/values/https-url.ts";
import { parseInvitation } from "../../proto/values/invitation.ts";
import { parseObjectName } from "../../proto/values/object-name.ts";
import { note } from "../output/print.ts";
import { enrolOperator, fetchPinnedRoot } from "../sdk/est.ts";
import type { Call } from "./call.ts";
import { learnCluster } from "./learn-cluster.ts";

/** Where hpsd's gRPC listens, unless `--server` says otherwise. */
const GRPC_PORT = "7443";

export interface LoginOptions {
  readonly token: string;
  readonly name?: string;
}

/** Exchanges an invitation for a certificate: the root by its pin, a key made here, then the context, last. */
export async function login(call: Call): Promise<number> {
  const url = parseHttpsUrl(call.operand(0));
  const options = call.options<LoginOptions>();
  const { host } = httpsUrlParts(url);
  const name = parseObjectName(options.name ?? contextNameOf(host), "context name");
  const server = serverOf(call.globals.server, host);
  const invitation = parseInvitation(await tokenOf(call, options.token));
  const { terminal } = call;
  const root = await fetchPinnedRoot(url, invitation, terminal.signal);
  const key = makeKey();
  const enrolment = { url, root, key, now: terminal.now(), signal: terminal.signal };
  const credentials = await enrolOperator(enrolment, invitation);
  await keep(call, { name, server, https: url, credentials, root });
  const cluster = await learnCluster(call, name);
  const about = cluster === undefined ? "" : `, cluster ${cluster}`;
  const who = identityText(certificateIdentity(credentials.certificate).identity);
  await note(terminal, `logged in as ${who} at ${server}; commands now use context ${name}${about}`);
  return 0;
}

interface Login {
  readonly name: string;
  readonly server: Endpoint;
  readonly https: HttpsUrl;
  readonly credentials: Credentials;
  readonly root: Credentials["certificate"];
}

/** Files are named by the certificate, so a login cut off half-way leaves the old context whole. */
async function keep(call: Call, login: Login): Promise<void> {
  const path = resolve(clientConfigPath(call.terminal.environment));
  const folder = `${dirname(path)}/${login.name}`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { certificate, intermediates, privateKey } = login.credentials;
  const stem = `${folder}/${certificate.serialNumber.toLowerCase()}`;
  await writePrivateKeyFile(`${stem}.key`, privateKeyPem(privateKey));
  await writeCertificatesFile(`${stem}.pem`, [certificate, ...intermediates]);
  await writeCertificatesFile(`${stem}.root.pem`, [login.root]);
  const config = await readClientConfig(path);
  const old = config.contexts.find((context) => context.name === login.name);
  const cluster = call.globals.cluster ?? old?.cluster;
  const context = contextOf({
    name: login.name,
    server: login.server,
    https: login.https,
    ca: `${stem}.root.pem`,
    certificate: `${stem}.pem`,
    key: `${stem}.key`,
    ...(cluster !== undefined && { cluster }),
  });
  await writeClientConfig(path, withContext(config, context));
  const stale = old === undefined ? [] : [old.key, old.certificate, old.ca];
  for (const file of stale) if (dirname(file) === folder) await rm(file, { force: true });
}

/** Through the file's own parser: what is written can be read again. */
function contextOf(fields: Readonly<Record<string, string>>): ClientContext {
  const text = JSON.stringify({ contexts: [fields] });
  const [context] = parseClientConfig(text, "the new context").contexts;
  if (context === undefined) throw new HpsError("internal", "the new context cannot be read");
  return context;
}

function serverOf(wanted: string | undefined, host: string): Endpoint {
  return wanted === undefined ? endpointOf(parseServerName(host), parsePort(GRPC_PORT)) : parseEndpoint(wanted);
}

/** `hpsd.example.org` is context `hpsd`; an address needs `--name`. */
function contextNameOf(host: string): string {
  const label = host.split(".")[0]?.toLowerCase() ?? "";
  return /^[a-z][a-z0-9-]*$/.test(label) ? label : "hps";
}

/** `-` reads it from standard input, so that it stays out of the list of processes and the shell's history. */
async function tokenOf(call: Call, token: string): Promise<string> {
  if (token !== "-") return token;
  let text = "";
  for await (const chunk of call.terminal.stdin) {
    text += String(chunk);
    // One line: a person at a terminal ends it with Enter.
    if (text.length > 4096 || text.includes("\n")) break;
  }
  return text.trim();
}
