import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type CollectImagesResponseSchema,
  type ImageService,
  PassingReason,
  VerifiedKind,
  VerifiedState,
} from "../../proto/gen/hps/v1/image_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { actorOfCaller } from "../core/audit/audit.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { Passing } from "../core/images/passing-names.ts";
import type { PassingName } from "../core/images/passing-plan.ts";
import { keepOf } from "./cluster-service.ts";
import { type ImageServiceDeps, ownLibrary } from "./pack-methods.ts";

type Methods = Pick<Handlers<typeof ImageService, Caller>, "collectImages" | "verifyImages" | "makeDelta">;

const KINDS = {
  archives: VerifiedKind.ARCHIVE,
  manifests: VerifiedKind.MANIFEST,
  packs: VerifiedKind.PACK,
  deltas: VerifiedKind.DELTA,
  image: VerifiedKind.IMAGE,
} as const;
const STATES = {
  whole: VerifiedState.WHOLE,
  damaged: VerifiedState.DAMAGED,
  lost: VerifiedState.LOST,
  unread: VerifiedState.UNREAD,
  orphan: VerifiedState.ORPHAN,
  arriving: VerifiedState.ARRIVING,
} as const;
/** Of one file; a pack may be needed by all images there are. */
const MOST_NAMED = 100;
/** Of names in one message. */
const MOST_PASSED = 1000;
const REASONS = { expired: PassingReason.EXPIRED, surplus: PassingReason.SURPLUS } as const;

/** The methods of ImageService about a library as a whole. */
export function libraryMethods({ access, collector, passingNames, verifier, deltas }: ImageServiceDeps): Methods {
  return {
    collectImages: async ({ cluster, dryRun, keep }, { principal: caller }) => {
      const library = await ownLibrary(access, caller, cluster);
      if (dryRun) return previewMessage(await passingNames.preview(library, keepOf(keep)));
      if (keep !== 0) throw new HpsError("invalid", "keep is for a dry run", { hint: KEEP_HINT });
      const done = await collector.collect(library, actorOfCaller(caller));
      const { retiredPacks, madePacks, damaged } = done;
      return {
        ...{ retiredPacks, madePacks, damagedPacks: [...damaged], ...passedMessage(done.names) },
        retiredBytes: BigInt(done.retiredBytes),
        madeBytes: BigInt(done.madeBytes),
        waitingBytes: BigInt(done.waitingBytes),
      };
    },

    verifyImages: async function* ({ cluster }, { principal: caller }) {
      const library = await ownLibrary(access, caller, cluster);
      for await (const { kind, state, sizeBytes, ...told } of verifier.verify(library, actorOfCaller(caller))) {
        const { digest, file, problems, images } = told;
        const what = { kind: KINDS[kind], state: STATES[state], digest, file, sizeBytes: BigInt(sizeBytes) };
        yield { ...what, problems: [...problems], images: images.slice(0, MOST_NAMED) };
      }
    },

    makeDelta: async ({ cluster, base, target }, { principal: caller }) => {
      const library = await ownLibrary(access, caller, cluster);
      const { digest, sizeBytes, ...of } = await deltas.make(library, { base, target }, actorOfCaller(caller));
      return { digest, sizeBytes: BigInt(sizeBytes), base: of.base, target: of.target };
    },
  };
}

const KEEP_HINT =
  "a cluster's rule is its image_keep, that of the shared library retention.sharedTags of hpsd's configuration";

function previewMessage({ names, packs }: Passing): MessageInitShape<typeof CollectImagesResponseSchema> {
  const retiredBytes = packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return { ...passedMessage(names), retiredPacks: packs.length, retiredBytes: BigInt(retiredBytes) };
}

function passedMessage(names: readonly PassingName[]) {
  const passedNames = names.slice(0, MOST_PASSED).map(({ name, digest, reason, last }) => {
    return { name, digest, reason: REASONS[reason], last };
  });
  return { passedNames, passedCount: names.length };
}
