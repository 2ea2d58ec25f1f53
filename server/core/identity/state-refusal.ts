import { HpsError } from "../../../proto/values/hps-error.ts";
import type { CertificateState } from "../../store/certificates.ts";

/**
 * Why a certificate in this state opens nothing; undefined when it does. Told to its holder, who has proven the key: an
 * agent has to know whether to wait, to renew or to give up.
 */
export function stateRefusal(state: CertificateState, why = ""): HpsError | undefined {
  if (state === "valid" || state === "waiting") return undefined;
  const message =
    state === "revoked"
      ? `your certificate is revoked${why === "" ? "" : `: ${why}`}`
      : "your certificate is suspended";
  const hint =
    state === "revoked"
      ? "enrol again; an operator does so with a new invitation and hpsctl login"
      : "the host is armed for re-installation";
  return new HpsError("unauthenticated", message, { hint, details: { reason: state } });
}
