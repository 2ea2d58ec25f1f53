import type { ImageService, InstallerService } from "../../proto/gen/hps/v1/image_pb.ts";
import { dataOf, firstMessage } from "../../proto/rpc/first-message.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseImageName } from "../../proto/values/image-ref.ts";
import type { Caller } from "../core/identity/principal.ts";
import { parseImageOrder } from "../core/images/image-order.ts";
import type { Installers } from "../core/installers/installers.ts";
import { required } from "./fields.ts";
import { announcementOf, imageMessage, installerMessage } from "./image-message.ts";
import { libraryMethods } from "./library-methods.ts";
import { clusterOf, expiryOf, type ImageServiceDeps, libraryOf, packMethods, withSigners } from "./pack-methods.ts";
import { nextPageToken, pageLimit, pageStart } from "./paging.ts";
import { trustMethods } from "./trust-methods.ts";

export function imageService(deps: ImageServiceDeps): Handlers<typeof ImageService, Caller> {
  const { access, images, imageTrust } = deps;
  return {
    ...packMethods(deps),
    ...libraryMethods(deps),
    ...trustMethods(deps),

    importImage: async (requests, { principal: caller }) => {
      const messages = requests[Symbol.asyncIterator]();
      const { message } = await firstMessage(messages);
      if (message.case !== "image") throw new HpsError("invalid", "the first message names no image");
      const cluster = await access.cluster(caller, message.value.cluster);
      const order = parseImageOrder(announcementOf(message.value));
      return imageMessage(
        await withSigners(imageTrust, await images.import(caller, cluster.id, order, dataOf(messages))),
      );
    },

    getImage: async ({ cluster, name }, { principal: caller }) => {
      const image = await images.get(await clusterOf(access, caller, cluster), name);
      return imageMessage({ ...(await withSigners(imageTrust, image)), signatures: await images.signaturesOf(image) });
    },

    listImages: async (request, { principal: caller }) => {
      const clusters = await access.visible(caller, request.cluster);
      const list = ["images", request.cluster];
      const [cluster, name] = pageStart(request, list, ["string", "string"]) ?? [];
      const begin = typeof cluster === "string" && typeof name === "string" && { after: { cluster, name } };
      const page = await images.list({ clusters, shared: request.cluster === "", limit: pageLimit(request), ...begin });
      const key = page.next && [page.next.cluster, page.next.name];
      const signers = await imageTrust.signersOf(page.images);
      const listed = page.images.map((image) => imageMessage({ ...image, signers: signers.get(image.id) ?? [] }));
      return { images: listed, nextPageToken: nextPageToken(key, list) };
    },

    deleteImage: async ({ cluster, name }, { principal: caller }) => {
      await images.delete(caller, await libraryOf(access, caller, cluster, name), name);
      return {};
    },

    tagImage: async ({ cluster, image, name: text, move, expireTime }, { principal: caller }) => {
      const library = await libraryOf(access, caller, cluster, text);
      const { name } = parseImageName(text);
      const wish = { image, name, move, expiresAt: expiryOf(expireTime) };
      return imageMessage(await withSigners(imageTrust, await images.tag(caller, library, wish)));
    },
  };
}

export function installerService(installers: Installers): Handlers<typeof InstallerService, Caller> {
  return {
    importInstaller: async (requests, { principal: caller }) => {
      const messages = requests[Symbol.asyncIterator]();
      const { message } = await firstMessage(messages);
      if (message.case !== "installer") throw new HpsError("invalid", "the first message names no installer");
      const { version, files } = message.value;
      const said = files.map(({ name, file }) => {
        const { digest, sizeBytes } = required(file, "file of the installer");
        return { name, digest, sizeBytes };
      });
      return installerMessage(await installers.import(caller, { version, files: said }, dataOf(messages)));
    },

    getInstaller: async () => {
      const { current, problem } = installers;
      if (current === undefined) throw new HpsError("not-found", problem);
      return installerMessage(current);
    },
  };
}
