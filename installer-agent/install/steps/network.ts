import { networkInterfaces } from "node:os";
import type { Step } from "../step.ts";

const MOST = 64;

/** The links are up, or nobody would hear of this; they are told with their addresses, dead ones too. */
export const network: Step = {
  name: "network",
  run: async ({ job, log }) => {
    const lines = (await job.links?.()) ?? addressLines();
    for (const line of lines.slice(0, MOST)) log(line);
    if (lines.length === 0) log("no address but the loopback's");
  },
};

function addressLines(): readonly string[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.filter(({ internal }) => !internal).map(({ mac, cidr, address }) => `${name} ${mac} ${cidr ?? address}`),
  );
}
