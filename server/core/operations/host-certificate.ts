import { readRequest } from "../../../certs/csr.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { HpsStore } from "../../store/database.ts";
import { selectInstallation } from "../../store/installations.ts";
import { type Audit, actorOfCaller } from "../audit/audit.ts";
import type { Authority } from "../identity/authority.ts";
import type { Certificates } from "../identity/certificates.ts";
import type { Caller, InstallerPrincipal } from "../identity/principal.ts";

export interface HostCertificateDeps {
  readonly store: HpsStore;
  readonly audit: Audit;
  readonly authority: Pick<Authority, "sign">;
  readonly certificates: Pick<Certificates, "record">;
}

/**
 * Signs the key an installer made for the system it installs; PEM, leaf first. The certificate waits for the first
 * attach of that system, and takes the place of one that waits already. `precondition` unless the agent is at work.
 */
export async function issueHostCertificate(
  { store, audit, authority, certificates }: HostCertificateDeps,
  caller: Caller<InstallerPrincipal>,
  request: Uint8Array,
): Promise<string> {
  const { installationId, hostId, clusterId } = caller.principal;
  const publicKey = readRequest(Buffer.from(request));
  const signed = await authority.sign({ kind: "host", subject: hostId, publicKey });
  await store.write(async (tx) => {
    const { state, rescue = false } = (await selectInstallation(tx, installationId)) ?? {};
    if (rescue) throw new HpsError("precondition", "a rescue installs nothing that could have a certificate");
    if (state !== "installing") {
      throw new HpsError("precondition", `installation ${installationId} is ${state ?? "deleted"}`, {
        hint: "ask while the installation is under way",
      });
    }
    await certificates.record(tx, signed, { hostId, clusterId, state: "waiting" });
    const details = { host: hostId, serial: signed.serial };
    await audit.allowed(tx, actorOfCaller(caller), { target: `installation:${installationId}`, clusterId, details });
  });
  return signed.chainPem;
}
