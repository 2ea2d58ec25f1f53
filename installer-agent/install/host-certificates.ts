import type { AgentService } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import type { BackoffLimits } from "../link/backoff.ts";
import { patiently } from "../link/patient-call.ts";
import type { Job } from "./step.ts";

/** How the job asks hpsd for the certificate of the system it installs. */
export function hostCertificates(
  service: () => Client<typeof AgentService>,
  { installation, backoff }: { readonly installation: string; readonly backoff: BackoffLimits },
): Job["hostCertificate"] {
  return async (certificateRequest, signal) => {
    const ask = () => service().issueHostCertificate({ installation, certificateRequest }, { signal });
    return (await patiently(ask, backoff, signal)).certificateChain;
  };
}
