import { openAuthority, signIntermediate } from "../../../certs/authority.ts";
import { readRequest } from "../../../certs/csr.ts";
import { readCertificatesPem } from "../../../certs/files.ts";
import { readPrivateKeyPem } from "../../../certs/key.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { LIFETIME } from "./lifetimes.ts";

export interface IntermediateRequest {
  readonly rootPem: string;
  /** As `hpsd init` wrote it. */
  readonly rootKeyPem: string;
  readonly passphrase: string;
  /** PKCS#10 as PrepareIntermediate gave it, PEM. */
  readonly requestPem: string;
  /** UTC milliseconds. */
  readonly now: number;
}

/** `hpsd ca sign`: signs a prepared intermediate with the root's key, on whatever machine that key lies. Gives PEM. */
export async function signIntermediateRequest(request: IntermediateRequest): Promise<string> {
  const [root] = readCertificatesPem(request.rootPem, "the root certificate");
  if (root === undefined) throw new HpsError("invalid", "no root certificate");
  const authority = openAuthority(root, readPrivateKeyPem(request.rootKeyPem, request.passphrase));
  const body = request.requestPem.replace(/-----[^-]+-----/g, "");
  const options = { name: "HPS issuing", now: request.now, lifetime: LIFETIME.intermediate };
  return (await signIntermediate(authority, readRequest(Buffer.from(body)), options)).toString();
}
