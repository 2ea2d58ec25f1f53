import type { MessageInitShape } from "@bufbuild/protobuf";
import type { FactsSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Facts } from "../../proto/values/facts.ts";

/** What a machine says of itself, as the contract has it: what it does not say is empty. */
export function factsMessage(facts: Facts): MessageInitShape<typeof FactsSchema> {
  const { macs, uuid = "", serial = "", vendor = "", product = "", memoryBytes = 0, cpus = 0, firmware = "" } = facts;
  return {
    ...{ macs: [...macs], uuid, serial, vendor, product, memoryBytes: BigInt(memoryBytes), cpus, firmware },
    secureBoot: facts.secureBoot ?? false,
    disks: facts.disks.map(diskMessage),
  };
}

function diskMessage({ name, sizeBytes, ...disk }: Facts["disks"][number]) {
  const { serial = "", model = "", wwn = "", path = "", transport = "", removable = false, sectorBytes = 0 } = disk;
  return { name, sizeBytes: BigInt(sizeBytes), serial, model, wwn, path, transport, removable, sectorBytes };
}
