import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ArmHostRequest } from "../../proto/gen/hps/v1/host_pb.ts";
import type { ArmRequest } from "../core/operations/arm-request.ts";

/** From the contract's words to the core's, which checks them. */
export function armRequestOf({ window, image, wipeDiskSerials, storage, rescue }: ArmHostRequest): ArmRequest {
  return {
    image,
    wipeDiskSerials,
    rescue,
    ...(window && { windowMs: durationMs(window) }),
    ...(storage && {
      storage: { disk: storage.disk, rootSizeBytes: Number(storage.rootSizeBytes), wipe: storage.wipe },
    }),
  };
}
