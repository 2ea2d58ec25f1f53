import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Claim, formatClaim } from "../../proto/config/claim.ts";
import type { InstallationService } from "../../proto/gen/hps/v1/installation_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { Installations } from "../core/operations/installations.ts";
import { installationMessage, lineMessage } from "./installation-message.ts";
import { nextPageToken, pageLimit, pageStart } from "./paging.ts";

export interface InstallationServiceDeps {
  readonly access: Access;
  readonly installations: Installations;
  /** The gate's: lets the agent in that shows this fingerprint. */
  readonly approve: (caller: Caller, installationId: string, fingerprint: string) => Promise<void>;
  /** The gate's: a claim to carry to the machine, and when it expires, in UTC milliseconds. */
  readonly issueClaim: (
    caller: Caller,
    installationId: string,
  ) => Promise<{ readonly claim: Claim; readonly expiresAt: number }>;
}

type Part = Partial<Handlers<typeof InstallationService, Caller>>;

export function installationService(deps: InstallationServiceDeps): Handlers<typeof InstallationService, Caller> {
  return { ...reading(deps), ...watching(deps), ...deciding(deps) };
}

function reading({ access, installations }: InstallationServiceDeps) {
  return {
    getInstallation: async (request, { principal: caller }) => {
      const { id } = await access.installation(caller, request.installation);
      return installationMessage(await installations.get(id));
    },

    listInstallations: async (request, { principal: caller }) => {
      const clusters = await access.visible(caller, request.cluster);
      const hostId = request.host === "" ? undefined : (await access.host(caller, request.host)).id;
      const { openOnly } = request;
      const list = ["installations", request.cluster, request.host, String(openOnly)];
      const [before] = pageStart(request, list, ["string"]) ?? [];
      const limit = pageLimit(request);
      const found = await installations.list({
        ...{ clusters, openOnly, limit: limit + 1 },
        ...(hostId !== undefined && { hostId }),
        ...(typeof before === "string" && { before }),
      });
      const last = found.length > limit ? found[limit - 1] : undefined;
      const nextToken = nextPageToken(last && [last.id], list);
      return { installations: found.slice(0, limit).map(installationMessage), nextPageToken: nextToken };
    },
  } satisfies Part;
}

function watching({ access, installations }: InstallationServiceDeps) {
  return {
    watchInstallation: async function* (request, { principal: caller, signal }) {
      const { id } = await access.installation(caller, request.installation);
      for await (const { entry, view } of installations.watch(id, sequenceOf(request.afterSequence), signal)) {
        yield { ...(entry && { entry }), ...(view && { installation: installationMessage(view) }) };
      }
    },

    watchInstallationLog: async function* (request, { principal: caller, signal }) {
      const { id } = await access.installation(caller, request.installation);
      const { follow } = request;
      const pages = installations.watchLog(id, { after: sequenceOf(request.afterSequence), follow, signal });
      for await (const lines of pages) yield { lines: lines.map(lineMessage) };
    },
  } satisfies Part;
}

function deciding({ access, installations, approve, issueClaim }: InstallationServiceDeps) {
  return {
    retryInstallation: async (request, { principal: caller }) => {
      const { id } = await access.installation(caller, request.installation);
      const { wipe, wipeDiskSerials } = request;
      return installationMessage(await installations.retry(caller, id, { wipe, wipeDiskSerials }));
    },

    cancelInstallation: async (request, { principal: caller }) => {
      const { id } = await access.installation(caller, request.installation);
      return installationMessage(await installations.cancel(caller, id, request.reason));
    },

    unfreezeInstallation: async (request, { principal: caller }) => {
      const { id } = await access.installation(caller, request.installation);
      return installationMessage(await installations.unfreeze(caller, id));
    },

    pauseReboot: async (request, { principal: caller }) => {
      const { id } = await access.installation(caller, request.installation);
      return installationMessage(await installations.pauseReboot(caller, id, true));
    },

    resumeReboot: async (request, { principal: caller }) => {
      const { id } = await access.installation(caller, request.installation);
      return installationMessage(await installations.pauseReboot(caller, id, false));
    },

    issueClaim: async (request, { principal: caller }) => {
      const { id } = await access.installation(caller, request.installation);
      const { claim, expiresAt } = await issueClaim(caller, id);
      return { claim: formatClaim(claim), expireTime: timestampFromMs(expiresAt) };
    },

    approveEnrolment: async (request, { principal: caller }) => {
      const { id } = await access.installation(caller, request.installation);
      await approve(caller, id, request.fingerprint);
      return installationMessage(await installations.get(id));
    },
  } satisfies Part;
}

function sequenceOf(sequence: bigint): number {
  if (sequence >= 0n && sequence <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(sequence);
  throw new HpsError("invalid", `nothing has sequence ${sequence}`, { hint: "use 0 to watch from the beginning" });
}
