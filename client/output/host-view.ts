import { type BootReport, type Disk, type Facts, NetworkModeSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import {
  type Contact,
  ContactSchema,
  type Host,
  HostSchema,
  HostState,
  HostStateSchema,
  ResumePolicySchema,
} from "../../proto/gen/hps/v1/host_pb.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { roundSize } from "../../proto/values/size.ts";
import { protoJson, type View } from "./print.ts";
import { type Column, formatTable } from "./table.ts";
import type { Colour, Terminal } from "./terminal.ts";
import { enumWord, mapText, timeText } from "./words.ts";

const COLOURS: Readonly<Record<number, Colour>> = {
  [HostState.INSTALLED]: "green",
  [HostState.AWAITING_APPROVAL]: "yellow",
  [HostState.INTERRUPTED]: "yellow",
  [HostState.FAILED]: "red",
  [HostState.FROZEN]: "red",
};

/** `lab/web01`. */
export function hostName({ cluster, name }: Pick<Host, "cluster" | "name">): string {
  return `${cluster}/${name}`;
}

export const HOST_VIEW: View<Host> = {
  kind: "host",
  name: hostName,
  json: protoJson(HostSchema),
  columns: [
    { title: "CLUSTER", text: ({ cluster }) => cluster },
    { title: "NAME", text: ({ name }) => name },
    { title: "STATE", text: ({ state }) => enumWord(HostStateSchema, state), colour: ({ state }) => COLOURS[state] },
    { title: "ATTACHED", text: ({ attached }) => (attached ? "yes" : "no") },
    { title: "MACS", text: ({ macs }) => macs.join(",") },
    { title: "ADDRESSES", text: ({ addresses }) => addresses.join(",") },
    { title: "PROFILE", wide: true, text: ({ profile }) => profile },
    { title: "TAGS", wide: true, text: ({ tags }) => mapText(tags) },
    { title: "NETWORK", wide: true, text: ({ network }) => enumWord(NetworkModeSchema, network) },
    { title: "RESUME", wide: true, text: ({ resume }) => enumWord(ResumePolicySchema, resume) },
    { title: "AGENT", wide: true, text: ({ agentVersion }) => agentVersion },
    { title: "INSTALLATION", wide: true, text: ({ installation }) => installation },
    { title: "CREATED", wide: true, text: ({ createTime }) => timeText(createTime) },
    { title: "UPDATED", wide: true, text: ({ updateTime }) => timeText(updateTime) },
    { title: "ID", wide: true, text: ({ id }) => id },
  ],
  more: (terminal, { facts, boot }) => bootText(boot) + factsText(terminal, facts),
};

/** What the installed system reported when it started. */
function bootText(boot: BootReport | undefined): string {
  if (boot === undefined) return "";
  const { slot, kernel, image, healthy, reason } = boot;
  const parts = [slot === "" ? "" : `slot ${slot}`, image, kernel === "" ? "" : `kernel ${kernel}`];
  const what = parts.filter((part) => part !== "").join(", ");
  return `\nBooted: ${safeText(what === "" ? "unknown" : what)}: ${healthy ? "healthy" : `not healthy: ${safeText(reason)}`}\n`;
}

const DISK_COLUMNS: readonly Column<Disk>[] = [
  { title: "DISK", text: ({ name }) => name },
  { title: "SIZE", text: ({ sizeBytes }) => roundSize(Number(sizeBytes)) },
  { title: "MODEL", text: ({ model }) => model },
  { title: "SERIAL", text: ({ serial }) => serial },
  { title: "BUS", text: ({ transport, removable }) => `${transport}${removable ? ", removable" : ""}` },
  { title: "WWN", text: ({ wwn }) => wwn },
  { title: "PATH", text: ({ path }) => path },
];

/** What its agent last said of the machine. */
function factsText(terminal: Terminal, facts: Facts | undefined): string {
  if (facts === undefined) return "";
  const { vendor, product, serial, cpus, memoryBytes, firmware, secureBoot, disks } = facts;
  const parts = [
    [vendor, product].filter((part) => part !== "").join(" "),
    serial === "" ? "" : `serial ${serial}`,
    cpus === 0 ? "" : `${cpus} CPUs`,
    memoryBytes === 0n ? "" : `${roundSize(Number(memoryBytes))} of memory`,
    firmware,
    secureBoot ? "Secure Boot on" : "",
  ];
  const machine = `\nMachine: ${safeText(parts.filter((part) => part !== "").join(", "))}\n`;
  if (disks.length === 0) return machine;
  return machine + formatTable(terminal, DISK_COLUMNS, disks, { wide: true, header: true }).text;
}

export const CONTACT_VIEW: View<Contact> = {
  kind: "contact",
  name: ({ mac }) => mac,
  json: protoJson(ContactSchema),
  columns: [
    { title: "MAC", text: ({ mac }) => mac },
    { title: "ADDRESS", text: ({ address }) => address },
    { title: "FIRST SEEN", text: ({ firstSeenTime }) => timeText(firstSeenTime) },
    { title: "LAST SEEN", text: ({ lastSeenTime }) => timeText(lastSeenTime) },
    { title: "SAYS OF ITSELF", text: ({ inventory }) => mapText(inventory) },
  ],
};
