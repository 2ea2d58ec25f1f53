import {
  type Contact,
  ContactSchema,
  type Host,
  HostSchema,
  HostState,
  HostStateSchema,
  ResumePolicySchema,
} from "../../proto/gen/hps/v1/host_pb.ts";
import { protoJson, type View } from "./print.ts";
import type { Colour } from "./terminal.ts";
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
    { title: "RESUME", wide: true, text: ({ resume }) => enumWord(ResumePolicySchema, resume) },
    { title: "AGENT", wide: true, text: ({ agentVersion }) => agentVersion },
    { title: "INSTALLATION", wide: true, text: ({ installation }) => installation },
    { title: "CREATED", wide: true, text: ({ createTime }) => timeText(createTime) },
    { title: "UPDATED", wide: true, text: ({ updateTime }) => timeText(updateTime) },
    { title: "ID", wide: true, text: ({ id }) => id },
  ],
};

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
