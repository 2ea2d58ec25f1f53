import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { NetworkMode } from "../../proto/gen/hps/v1/agent_pb.ts";
import {
  type ContactSchema,
  type HostSchema,
  HostState,
  ResumePolicy,
  type WatchHostsResponseSchema,
} from "../../proto/gen/hps/v1/host_pb.ts";
import { etagOf } from "../core/changes/etag.ts";
import type { ContactPage } from "../core/hosts/contacts.ts";
import type { HostView } from "../core/hosts/host-view.ts";
import type { HostNews } from "../core/hosts/host-watch.ts";
import type { HostSayings } from "../core/hosts/hosts.ts";
import { factsMessage } from "./facts-message.ts";

const STATES = {
  registered: HostState.REGISTERED,
  installed: HostState.INSTALLED,
  armed: HostState.ARMED,
  "awaiting-approval": HostState.AWAITING_APPROVAL,
  installing: HostState.INSTALLING,
  interrupted: HostState.INTERRUPTED,
  failed: HostState.FAILED,
  frozen: HostState.FROZEN,
  rebooting: HostState.REBOOTING,
} as const satisfies Record<HostView["state"], HostState>;

export const RESUME_POLICIES = {
  never: ResumePolicy.NEVER,
  once: ResumePolicy.ONCE,
  always: ResumePolicy.ALWAYS,
} as const;

export const NETWORK_MODES = { dhcp: NetworkMode.DHCP, static: NetworkMode.STATIC } as const;

export function hostMessage(host: HostView & Partial<HostSayings>): MessageInitShape<typeof HostSchema> {
  const { id, cluster, name, profile, attached, agentVersion, facts, boot } = host;
  return {
    id,
    cluster,
    name,
    macs: [...host.macs],
    addresses: [...host.addresses],
    profile,
    tags: Object.fromEntries(host.tags),
    resume: RESUME_POLICIES[host.resume],
    state: STATES[host.state],
    installation: host.installation?.id ?? "",
    attached,
    agentVersion,
    createTime: timestampFromMs(host.createdAt),
    updateTime: timestampFromMs(host.updatedAt),
    etag: etagOf(host),
    network: NETWORK_MODES[host.network],
    ...(facts && { facts: factsMessage(facts) }),
    ...(boot && { boot }),
  };
}

export function hostNewsMessage({
  sequence,
  hostId,
  host,
}: HostNews): MessageInitShape<typeof WatchHostsResponseSchema> {
  return { sequence: BigInt(sequence), hostId, ...(host && { host: hostMessage(host) }) };
}

type Contact = ContactPage["contacts"][number];

export function contactMessage(contact: Contact): MessageInitShape<typeof ContactSchema> {
  const { mac, address, inventory } = contact;
  return {
    mac,
    address,
    firstSeenTime: timestampFromMs(contact.firstSeenAt),
    lastSeenTime: timestampFromMs(contact.lastSeenAt),
    inventory: { ...inventory },
  };
}
