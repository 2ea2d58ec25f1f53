import { networkInterfaces } from "node:os";
import type { Step } from "../step.ts";

/** The links are up, or nobody would hear of this; they are told with their addresses. */
export const network: Step = {
  name: "network",
  run: async ({ log }) => {
    const lines = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
      addresses
        .filter(({ internal }) => !internal)
        .map(({ mac, cidr, address }) => `${name} ${mac} ${cidr ?? address}`),
    );
    for (const line of lines.slice(0, 64)) log(line);
    if (lines.length === 0) log("no address but the loopback's");
  },
};
