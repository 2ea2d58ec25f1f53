import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AuditEvent, ListAuditEventsRequestSchema } from "../../proto/gen/hps/v1/audit_pb.ts";
import type { Cluster } from "../../proto/gen/hps/v1/cluster_pb.ts";
import type { Grant, ListGrantsRequestSchema } from "../../proto/gen/hps/v1/grant_pb.ts";
import type { Contact, Host, ListHostsRequestSchema } from "../../proto/gen/hps/v1/host_pb.ts";
import type { Certificate, ListCertificatesRequestSchema, Operator } from "../../proto/gen/hps/v1/identity_pb.ts";
import type { Image, ListImagesRequestSchema } from "../../proto/gen/hps/v1/image_pb.ts";
import type { Installation, ListInstallationsRequestSchema } from "../../proto/gen/hps/v1/installation_pb.ts";
import type { ListSessionsRequestSchema, Session } from "../../proto/gen/hps/v1/shell_pb.ts";
import type { CallOptions } from "../../proto/rpc/rpc-client.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Services } from "./services.ts";

/** A page this long stays below the limit of a message also when its objects are large. */
const PAGE_SIZE = 200;

type Listing<Item> = AsyncGenerator<Item, void>;

/** All objects of a kind, fetched page by page while they are read. */
export interface Lists {
  readonly listClusters: (options?: CallOptions) => Listing<Cluster>;
  readonly listHosts: (
    request?: MessageInitShape<typeof ListHostsRequestSchema>,
    options?: CallOptions,
  ) => Listing<Host>;
  readonly listContacts: (options?: CallOptions) => Listing<Contact>;
  readonly listInstallations: (
    request?: MessageInitShape<typeof ListInstallationsRequestSchema>,
    options?: CallOptions,
  ) => Listing<Installation>;
  readonly listImages: (
    request?: MessageInitShape<typeof ListImagesRequestSchema>,
    options?: CallOptions,
  ) => Listing<Image>;
  readonly listSessions: (
    request?: MessageInitShape<typeof ListSessionsRequestSchema>,
    options?: CallOptions,
  ) => Listing<Session>;
  /** Newest first. */
  readonly listGrants: (
    request?: MessageInitShape<typeof ListGrantsRequestSchema>,
    options?: CallOptions,
  ) => Listing<Grant>;
  readonly listOperators: (options?: CallOptions) => Listing<Operator>;
  readonly listCertificates: (
    request?: MessageInitShape<typeof ListCertificatesRequestSchema>,
    options?: CallOptions,
  ) => Listing<Certificate>;
  /** Newest first. */
  readonly listAuditEvents: (
    request?: MessageInitShape<typeof ListAuditEventsRequestSchema>,
    options?: CallOptions,
  ) => Listing<AuditEvent>;
}

interface Page {
  readonly pageSize: number;
  readonly pageToken: string;
}

export function lists(services: Services): Lists {
  const { clusters, hosts, shells, grants, identity, audit } = services;
  return {
    listClusters: (options) =>
      pages(
        (page) => clusters.listClusters(page, options),
        (answer) => answer.clusters,
      ),
    listHosts: (request, options) =>
      pages(
        (page) => hosts.listHosts({ ...request, ...page }, options),
        (answer) => answer.hosts,
      ),
    listContacts: (options) =>
      pages(
        (page) => hosts.listContacts(page, options),
        (answer) => answer.contacts,
      ),
    ...installationLists(services),
    listSessions: (request, options) =>
      pages(
        (page) => shells.listSessions({ ...request, ...page }, options),
        (answer) => answer.sessions,
      ),
    listGrants: (request, options) =>
      pages(
        (page) => grants.listGrants({ ...request, ...page }, options),
        (answer) => answer.grants,
      ),
    ...identityLists(identity),
    listAuditEvents: (request, options) =>
      pages(
        (page) => audit.listAuditEvents({ ...request, ...page }, options),
        (answer) => answer.events,
      ),
  };
}

function installationLists({ installations, images }: Services): Pick<Lists, "listInstallations" | "listImages"> {
  return {
    listInstallations: (request, options) =>
      pages(
        (page) => installations.listInstallations({ ...request, ...page }, options),
        (answer) => answer.installations,
      ),
    listImages: (request, options) =>
      pages(
        (page) => images.listImages({ ...request, ...page }, options),
        (answer) => answer.images,
      ),
  };
}

function identityLists(identity: Services["identity"]): Pick<Lists, "listOperators" | "listCertificates"> {
  return {
    listOperators: (options) =>
      pages(
        (page) => identity.listOperators(page, options),
        (answer) => answer.operators,
      ),
    listCertificates: (request, options) =>
      pages(
        (page) => identity.listCertificates({ ...request, ...page }, options),
        (answer) => answer.certificates,
      ),
  };
}

async function* pages<Answer extends { readonly nextPageToken: string }, Item>(
  fetchPage: (page: Page) => Promise<Answer>,
  itemsOf: (answer: Answer) => readonly Item[],
): Listing<Item> {
  const seen = new Set<string>();
  let pageToken = "";
  do {
    const answer = await fetchPage({ pageSize: PAGE_SIZE, pageToken });
    yield* itemsOf(answer);
    pageToken = answer.nextPageToken;
    if (seen.has(pageToken)) throw new HpsError("data-loss", "the server gives the same page again and again");
    seen.add(pageToken);
  } while (pageToken !== "");
}
