import { HpsError } from "../../../proto/values/hps-error.ts";
import { checkImageTrust } from "../image-trust.ts";
import type { Step } from "../step.ts";
import { offerTools } from "../tools.ts";

/** Fetches the host's configuration and makes sure that it is meant for this machine, before anything is changed by it. */
export const configuration: Step = {
  name: "configuration",
  run: async (context) => {
    const { job, signal, log } = context;
    const { hostName, cluster, domain, macs, order, rescue } = await job.configuration(signal);
    const own: readonly string[] = job.facts.macs;
    if (macs.length > 0 && !macs.some((mac) => own.includes(mac))) {
      throw new HpsError("precondition", `the configuration of ${hostName} is for another machine`, {
        hint: `it is for ${macs.join(", ")}; this machine has ${own.slice(0, 8).join(", ")}`,
      });
    }
    if (order !== undefined && job.facts.secureBoot === true) throw secureBootIsOn();
    const trust = order && checkImageTrust(order, cluster);
    if (trust) log(trust.sentence);
    const work = order === undefined ? (rescue ? "rescue" : "no image") : `image ${order.image.name}`;
    log(`this is ${hostName}${domain === "" ? "" : `.${domain}`} in cluster ${cluster}, ${work}`);
    await offerTools(context);
  },
};

/** Said before anything is changed: what would be installed could not be started. */
function secureBootIsOn(): HpsError {
  return new HpsError("precondition", "Secure Boot is on, and the boot loader that HPS installs is not signed", {
    hint: "turn Secure Boot off in this machine's firmware setup, then: hpsctl installation retry HOST",
  });
}
