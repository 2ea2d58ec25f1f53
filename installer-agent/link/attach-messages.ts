import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { AgentEventSchema, AttachRequestSchema, FactsSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Facts } from "../../proto/values/facts.ts";

export type AttachMessage = MessageInitShape<typeof AttachRequestSchema>;
type AnyEvent = NonNullable<MessageInitShape<typeof AgentEventSchema>["event"]>;
/** What happened, as the contract says it. */
export type EventBody = Extract<AnyEvent, { readonly case: string }>;

/** `time` is UTC milliseconds of the agent's clock. */
export function eventMessage(sequence: bigint, time: number, event: EventBody): AttachMessage {
  return { message: { case: "event", value: { sequence, time: timestampFromMs(time), event } } };
}

export function logMessage(
  sequence: bigint,
  time: number,
  line: { readonly text: Uint8Array<ArrayBuffer>; readonly source: string },
): AttachMessage {
  const { text, source } = line;
  return { message: { case: "log", value: { sequence, time: timestampFromMs(time), text, source } } };
}

/** `shellsHold`: how many milliseconds open shells may hold the restart. */
export function heartbeatMessage(backlog: number, shellsHold: number | undefined): AttachMessage {
  const hold = shellsHold === undefined ? {} : { shellsHold: durationFromMs(Math.round(shellsHold)) };
  return { message: { case: "heartbeat", value: { backlog, ...hold } } };
}

/** Empty `error`: done. */
export function resultMessage(commandId: string, error: string): AttachMessage {
  return { message: { case: "result", value: { commandId, error } } };
}

/** The facts as the contract carries them; the list of network interfaces stays here, their MACs go along. */
export function factsMessage(facts: Facts): MessageInitShape<typeof FactsSchema> {
  return {
    macs: facts.macs,
    uuid: facts.uuid ?? "",
    serial: facts.serial ?? "",
    vendor: facts.vendor ?? "",
    product: facts.product ?? "",
    memoryBytes: BigInt(facts.memoryBytes ?? 0),
    cpus: facts.cpus ?? 0,
    firmware: facts.firmware ?? "",
    secureBoot: facts.secureBoot ?? false,
    disks: facts.disks.map(diskMessage),
  };
}

function diskMessage(disk: Facts["disks"][number]) {
  const { name, sizeBytes, serial = "", model = "", wwn = "", path = "", removable = false } = disk;
  const { sectorBytes = 0, transport = "" } = disk;
  return { ...{ name, serial, model, wwn, path, removable, sectorBytes, transport }, sizeBytes: BigInt(sizeBytes) };
}
