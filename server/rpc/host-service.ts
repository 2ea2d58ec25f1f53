import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HostService } from "../../proto/gen/hps/v1/host_pb.ts";
import type { InstallationSchema } from "../../proto/gen/hps/v1/installation_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Contacts } from "../core/hosts/contacts.ts";
import type { HostNews } from "../core/hosts/host-watch.ts";
import type { Hosts } from "../core/hosts/hosts.ts";
import type { RebootWish } from "../core/hosts/reboot-host.ts";
import type { Access, VisibleClusters } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { ArmRequest } from "../core/operations/arm-request.ts";
import type { ArmOptions } from "../core/operations/installations.ts";
import { armRequestOf } from "./arm-request.ts";
import { required } from "./fields.ts";
import { hostListOf, hostQueryOf } from "./host-list-request.ts";
import { contactMessage, hostMessage, hostNewsMessage } from "./host-message.ts";
import { hostChangeOf, hostSettingsOf } from "./host-settings.ts";
import { nextPageToken, pageLimit, pageStart } from "./paging.ts";

const CONTACTS = ["contacts"];

export interface HostServiceDeps {
  readonly access: Access;
  readonly hosts: Hosts;
  readonly contacts: Contacts;
  readonly watchHosts: (clusters: VisibleClusters, after: number, signal: AbortSignal) => AsyncIterable<HostNews>;
  /** Opens the window; answers with the installation that waits. */
  readonly arm: (
    caller: Caller,
    hostId: string,
    request: ArmRequest,
    options: ArmOptions,
  ) => Promise<MessageInitShape<typeof InstallationSchema>>;
  /** Closes it. */
  readonly disarm: (caller: Caller, hostId: string) => Promise<unknown>;
  /** Resolves when the host's agent will restart its machine. */
  readonly reboot: (caller: Caller, wish: RebootWish) => Promise<void>;
}

export function hostService(deps: HostServiceDeps): Handlers<typeof HostService, Caller> {
  return { ...keeping(deps), ...listing(deps), ...arming(deps) };
}

function keeping({ access, hosts }: HostServiceDeps) {
  return {
    getHost: async (request, { principal: caller }) =>
      hostMessage(await hosts.get((await access.host(caller, request.host)).id)),

    createHost: async (request, { principal: caller }) => {
      const host = required(request.host, "host");
      const cluster = await access.cluster(caller, host.cluster);
      return hostMessage(await hosts.create(caller, cluster.id, hostSettingsOf(host)));
    },

    updateHost: async (request, { principal: caller }) => {
      const host = required(request.host, "host");
      const { id } = await access.host(caller, host.id);
      return hostMessage(await hosts.update(caller, id, hostChangeOf(host, request.updateMask), host.etag));
    },

    deleteHost: async (request, { principal: caller }) => {
      await hosts.delete(caller, (await access.host(caller, request.host)).id, request.etag);
      return {};
    },
  } satisfies Partial<Handlers<typeof HostService, Caller>>;
}

function listing({ access, hosts, contacts, watchHosts }: HostServiceDeps) {
  return {
    listHosts: async (request, { principal: caller }) => {
      const clusters = await access.visible(caller, request.cluster);
      const page = await hosts.list(hostQueryOf(request, clusters));
      return { hosts: page.hosts.map(hostMessage), nextPageToken: nextPageToken(page.next, hostListOf(request)) };
    },

    watchHosts: async function* (request, { principal: caller, signal }) {
      const clusters = await access.visible(caller, request.cluster);
      const after = sequenceOf(request.afterSequence);
      for await (const news of watchHosts(clusters, after, signal)) yield hostNewsMessage(news);
    },

    listContacts: async (request) => {
      const [lastSeenAt, mac] = pageStart(request, CONTACTS, ["number", "string"]) ?? [];
      const begin = typeof lastSeenAt === "number" && typeof mac === "string" && { after: { lastSeenAt, mac } };
      const page = await contacts.list({ limit: pageLimit(request), ...begin });
      const key = page.next && [page.next.lastSeenAt, page.next.mac];
      return { contacts: page.contacts.map(contactMessage), nextPageToken: nextPageToken(key, CONTACTS) };
    },
  } satisfies Partial<Handlers<typeof HostService, Caller>>;
}

function arming({ access, hosts, arm, disarm, reboot }: HostServiceDeps) {
  return {
    armHost: async (request, { principal: caller }) => {
      const { id } = await access.host(caller, request.host);
      return await arm(caller, id, armRequestOf(request), { reboot: request.reboot });
    },

    rebootHost: async ({ host, network }, { principal: caller }) => {
      const { id, clusterId } = await access.host(caller, host);
      await reboot(caller, { hostId: id, clusterId, network });
      return {};
    },

    disarmHost: async (request, { principal: caller }) => {
      const { id } = await access.host(caller, request.host);
      await disarm(caller, id);
      return hostMessage(await hosts.get(id));
    },
  } satisfies Partial<Handlers<typeof HostService, Caller>>;
}

function sequenceOf(sequence: bigint): number {
  if (sequence >= 0n && sequence <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(sequence);
  throw new HpsError("invalid", `no change has sequence ${sequence}`, { hint: "use 0 for all hosts as they are" });
}
