import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ImageKeysSchema, ImageService } from "../../proto/gen/hps/v1/image_pb.ts";
import { keySetMessage, keySetsOf, signatureBytes } from "../../proto/image/signed-message.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { ClusterKeys, ImageTrust } from "../core/images/image-trust.ts";
import { required } from "./fields.ts";
import { imageMessage } from "./image-message.ts";
import { libraryOf, withSigners } from "./pack-methods.ts";

interface Deps {
  readonly access: Access;
  readonly imageTrust: ImageTrust;
}

type Methods = Pick<Handlers<typeof ImageService, Caller>, "addImageSignature" | "getImageKeys" | "setImageKeys">;

/** The methods of ImageService about who vouches for images. */
export function trustMethods({ access, imageTrust }: Deps): Methods {
  return {
    addImageSignature: async (request, { principal: caller }) => {
      const { cluster, name } = request;
      const library = await libraryOf(access, caller, cluster, name);
      const signed = signatureBytes(required(request.signature, "signature"));
      return imageMessage(
        await withSigners(imageTrust, await imageTrust.addSignature(caller, library, { name, signed })),
      );
    },

    getImageKeys: async ({ cluster }, { principal: caller }) =>
      keysMessage(await imageTrust.keysOf((await access.cluster(caller, cluster)).id)),

    setImageKeys: async (request, { principal: caller }) => {
      const { cluster, withoutOldKey } = request;
      const { id } = await access.cluster(caller, cluster);
      const [set, ...others] = keySetsOf(required(request.keySet, "key set"));
      if (set === undefined || others.length > 0)
        throw new HpsError("invalid", "name one key set, without those before");
      return keysMessage(await imageTrust.setKeys(caller, id, { set, withoutOldKey }));
    },
  };
}

function keysMessage({ cluster, sets, setBy, setAt }: ClusterKeys): MessageInitShape<typeof ImageKeysSchema> {
  const keySet = keySetMessage(sets);
  return { cluster, ...(keySet && { keySet }), setBy, setTime: timestampFromMs(setAt) };
}
