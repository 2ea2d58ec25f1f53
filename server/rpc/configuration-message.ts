import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ConfigurationSchema, NetworkMode, type NetworkOrderSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { HostConfiguration, InstallOrder } from "../core/hosts/host-configuration.ts";
import { imageSourceMessage } from "./image-message.ts";
import { storageMessage } from "./installation-message.ts";

/** What an agent is told, as the contract has it. */
export function configurationMessage(told: HostConfiguration): MessageInitShape<typeof ConfigurationSchema> {
  const { tags, macs, addresses, order, ...names } = told;
  const own = { ...names, macs: [...macs], addresses: [...addresses], tags: Object.fromEntries(tags) };
  return order === undefined ? own : { ...own, ...orderMessage(order) };
}

function orderMessage(order: InstallOrder): MessageInitShape<typeof ConfigurationSchema> {
  const { installation, image, tools, storage, network, rescue } = order;
  return {
    ...{ installation, rescue, wipeDiskSerials: [...order.wipeDiskSerials] },
    ...(image && { image: image.name, imageSource: imageSourceMessage(image) }),
    ...(tools && { tools: { digest: tools.digest, sizeBytes: BigInt(tools.sizeBytes) } }),
    storage: storageMessage(storage),
    network: networkMessage(network),
  };
}

function networkMessage(network: InstallOrder["network"]): MessageInitShape<typeof NetworkOrderSchema> {
  if (network.mode === "dhcp") return { mode: NetworkMode.DHCP, mac: network.mac };
  const { mac, addresses, gateway, nameServers } = network;
  return { mode: NetworkMode.STATIC, mac, addresses: [...addresses], gateway, nameServers: [...nameServers] };
}
