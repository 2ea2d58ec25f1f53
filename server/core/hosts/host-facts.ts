import type { Facts as FactsMessage } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { type Facts, parseFacts } from "../../../proto/values/facts.ts";

/** What an agent says of its machine, checked as what it says when it enrols; `invalid` names the first field that is wrong. */
export function factsOf(said: FactsMessage): Facts {
  const { macs, memoryBytes, cpus, secureBoot, disks } = said;
  const { uuid, serial, vendor, product, firmware } = said;
  return parseFacts({
    ...{ macs, memoryBytes: Number(memoryBytes), cpus, secureBoot },
    ...known({ uuid, serial, vendor, product, firmware }),
    disks: disks.map(({ name, sizeBytes, removable, sectorBytes, serial, model, wwn, path, transport }) => ({
      ...{ name, sizeBytes: Number(sizeBytes), removable, sectorBytes },
      ...known({ serial, model, wwn, path, transport }),
    })),
  });
}

/** In the contract an empty text is one that the machine does not say. */
function known(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ""));
}
