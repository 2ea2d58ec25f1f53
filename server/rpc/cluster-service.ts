import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  Admission,
  type Cluster,
  type ClusterSchema,
  type ClusterService,
  type UpdateClusterRequest,
} from "../../proto/gen/hps/v1/cluster_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type MirrorUrl, parseMirrorUrl } from "../../proto/values/mirror-url.ts";
import { parseObjectName } from "../../proto/values/object-name.ts";
import { actorOfCaller } from "../core/audit/audit.ts";
import { etagOf } from "../core/changes/etag.ts";
import type { ClusterSettings, Clusters } from "../core/clusters/clusters.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import { boundedText, maskOf, required, wordOf } from "./fields.ts";
import { nextPageToken, pageLimit, pageStart } from "./paging.ts";
import { SHELL_POLICY_PATHS, shellPolicyChange, shellPolicyMessage } from "./shell-policy-message.ts";

const MAX_DESCRIPTION_BYTES = 1024;
const MOST_MIRRORS = 8;
/** As `retention.sharedTags` of hpsd's configuration. */
const MOST_KEPT = 10_000;
const ADMISSIONS = { armed: Admission.ARMED, approve: Admission.APPROVE } as const;
const SETTINGS = ["description", "domain", "admission", "image_mirrors", "image_keep", ...SHELL_POLICY_PATHS] as const;
const LIST = ["clusters"];

interface Deps {
  readonly access: Access;
  readonly clusters: Clusters;
}

export function clusterService({ access, clusters }: Deps): Handlers<typeof ClusterService, Caller> {
  return {
    getCluster: async ({ name }, { principal: caller }) =>
      messageOf(await clusters.get((await access.cluster(caller, name)).id)),

    listClusters: async (request, { principal: caller }) => {
      const visible = await access.visible(caller, "");
      const [after] = pageStart(request, LIST, ["string"]) ?? [];
      const begin = typeof after === "string" && { after };
      const page = await clusters.list({ clusters: visible, limit: pageLimit(request), ...begin });
      const nextToken = nextPageToken(page.next === undefined ? undefined : [page.next], LIST);
      return { clusters: page.clusters.map(messageOf), nextPageToken: nextToken };
    },

    createCluster: async (request, { principal: caller }) => {
      const cluster = required(request.cluster, "cluster");
      const name = parseObjectName(cluster.name, "cluster's name");
      return messageOf(await clusters.create(actorOfCaller(caller), name, settingsOf(cluster)));
    },

    updateCluster: async (request, { principal: caller }) => {
      const cluster = required(request.cluster, "cluster");
      const { id } = await access.cluster(caller, cluster.name);
      return messageOf(await clusters.update(actorOfCaller(caller), id, changeOf(request, cluster), cluster.etag));
    },

    deleteCluster: async ({ name, etag }, { principal: caller }) => {
      await clusters.delete(actorOfCaller(caller), (await access.cluster(caller, name)).id, etag);
      return {};
    },
  };
}

function messageOf(cluster: Awaited<ReturnType<Clusters["get"]>>): MessageInitShape<typeof ClusterSchema> {
  const { name, id, description, domain, shellPolicy, imageMirrors, imageKeep } = cluster;
  return {
    name,
    id,
    description,
    domain,
    admission: ADMISSIONS[cluster.admission],
    createTime: timestampFromMs(cluster.createdAt),
    updateTime: timestampFromMs(cluster.updatedAt),
    etag: etagOf(cluster),
    shellPolicy: shellPolicyMessage(shellPolicy),
    imageMirrors: [...imageMirrors],
    imageKeep,
  };
}

/** One reader a field, so that an update reads only those it changes. */
const READ = {
  description: ({ description }: Cluster) => boundedText(description, MAX_DESCRIPTION_BYTES, "a description"),
  domain: ({ domain }: Cluster) => parseDomainName(domain),
  admission: ({ admission }: Cluster) => admissionOf(admission),
  imageMirrors: ({ imageMirrors }: Cluster) => mirrorsOf(imageMirrors),
  imageKeep: ({ imageKeep }: Cluster) => keepOf(imageKeep),
} as const;

function settingsOf(cluster: Cluster): ClusterSettings {
  return {
    ...{ description: READ.description(cluster), domain: READ.domain(cluster), admission: READ.admission(cluster) },
    imageMirrors: READ.imageMirrors(cluster),
    imageKeep: READ.imageKeep(cluster),
    shellPolicy: shellPolicyChange(new Set(["shell_policy"]), cluster.shellPolicy),
  };
}

function changeOf({ updateMask }: UpdateClusterRequest, cluster: Cluster): Partial<ClusterSettings> {
  const mask = maskOf(updateMask, SETTINGS);
  // Who knows nothing of shells and changes all it knows must not open them.
  const isUntold = updateMask?.paths.includes("*") && cluster.shellPolicy === undefined;
  return {
    ...(mask.has("description") && { description: READ.description(cluster) }),
    ...(mask.has("domain") && { domain: READ.domain(cluster) }),
    ...(mask.has("admission") && { admission: READ.admission(cluster) }),
    ...(mask.has("image_mirrors") && { imageMirrors: READ.imageMirrors(cluster) }),
    ...(mask.has("image_keep") && { imageKeep: READ.imageKeep(cluster) }),
    ...(!isUntold && { shellPolicy: shellPolicyChange(mask, cluster.shellPolicy) }),
  };
}

/** How many tags of each name are kept; 0: all. */
export function keepOf(count: number): number {
  if (count >= 0 && count <= MOST_KEPT) return count;
  throw new HpsError("invalid", `${count} tags of each name is not from 0 to ${MOST_KEPT}`, {
    hint: "0: all are kept",
  });
}

/** Each is waited for before the next is asked: more than a few would only take time. */
function mirrorsOf(texts: readonly string[]): MirrorUrl[] {
  if (texts.length > MOST_MIRRORS) {
    throw new HpsError("invalid", `${texts.length} mirrors of images are more than ${MOST_MIRRORS}`);
  }
  const urls = texts.map(parseMirrorUrl);
  const twice = urls.find((url, index) => urls.indexOf(url) !== index);
  if (twice !== undefined) throw new HpsError("invalid", `the mirror ${twice} is named twice`);
  return urls;
}

/** Without a default: what it decides is whom to trust, and that is said by the one who runs the network. */
function admissionOf(admission: Admission): ClusterSettings["admission"] {
  try {
    return wordOf(ADMISSIONS, admission, "admission");
  } catch (error) {
    if (!(error instanceof HpsError)) throw error;
    throw new HpsError("invalid", error.message, { hint: ADMISSION_HINT });
  }
}

const ADMISSION_HINT =
  "armed: whoever holds the claim of an armed host is let in, which trusts everyone on that segment for the window; " +
  "approve: an operator compares the agent's fingerprint first; tpm is refused until credential activation exists";
