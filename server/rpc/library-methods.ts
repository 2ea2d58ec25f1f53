import type { ImageService } from "../../proto/gen/hps/v1/image_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { actorOfCaller } from "../core/audit/audit.ts";
import type { Caller } from "../core/identity/principal.ts";
import { type ImageServiceDeps, ownLibrary } from "./pack-methods.ts";

type Methods = Pick<Handlers<typeof ImageService, Caller>, "collectImages">;

/** The methods of ImageService about a library as a whole. */
export function libraryMethods({ access, collector }: ImageServiceDeps): Methods {
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
  };
}
