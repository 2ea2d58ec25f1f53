import { type ImageService, VerifiedKind, VerifiedState } from "../../proto/gen/hps/v1/image_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { actorOfCaller } from "../core/audit/audit.ts";
import type { Caller } from "../core/identity/principal.ts";
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
} as const;
/** Of one file; a pack may be needed by all images there are. */
const MOST_NAMED = 100;

/** The methods of ImageService about a library as a whole. */
export function libraryMethods({ access, collector, verifier, deltas }: ImageServiceDeps): Methods {
  return {
    collectImages: async ({ cluster }, { principal: caller }) => {
      const library = await ownLibrary(access, caller, cluster);
      const done = await collector.collect(library, actorOfCaller(caller));
      const { retiredPacks, madePacks, damaged } = done;
      return {
        ...{ retiredPacks, madePacks, damagedPacks: [...damaged] },
        retiredBytes: BigInt(done.retiredBytes),
        madeBytes: BigInt(done.madeBytes),
        waitingBytes: BigInt(done.waitingBytes),
      };
    },

    verifyImages: async function* ({ cluster }, { principal: caller }) {
      const library = await ownLibrary(access, caller, cluster);
      for await (const { kind, state, sizeBytes, ...told } of verifier.verify(library, actorOfCaller(caller))) {
        const { digest, problems, images } = told;
        const what = { kind: KINDS[kind], state: STATES[state], digest, sizeBytes: BigInt(sizeBytes) };
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
