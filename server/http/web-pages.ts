import type { FastifyReply, FastifyRequest } from "fastify";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { DoorApp } from "./https-door.ts";
import { WebAssets } from "./web-assets.ts";

/** `GET /web/` and the files of the page: they hold nothing that anybody may not see. */
export function addWebPages(app: DoorApp): void {
  const assets = new WebAssets();
  const limited = { config: { rateLimit: {} } };
  app.get("/web", limited, (_request, reply) => reply.redirect("/web/", 308));
  app.get("/web/", limited, async (request, reply) => await send(assets, "page.html", request, reply));
  app.get("/web/:file", limited, async (request, reply) => {
    const { params } = request;
    const file: unknown = typeof params === "object" && params !== null ? Reflect.get(params, "file") : undefined;
    return await send(assets, String(file), request, reply);
  });
}

async function send(assets: WebAssets, name: string, request: FastifyRequest, reply: FastifyReply) {
  const asset = await assets.get(name);
  if (asset === undefined) throw new HpsError("not-found", "there is nothing at this address");
  const { etag, type, body, zipped } = asset;
  // Asked for anew each time, so that an hpsd that was replaced never meets a page of the one before.
  void reply.headers({ etag, "cache-control": "no-cache", vary: "accept-encoding" });
  if (request.headers["if-none-match"] === etag) return await reply.code(304).send();
  const canUnzip = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  void reply.type(type);
  if (canUnzip) void reply.header("content-encoding", "gzip");
  return await reply.send(canUnzip ? zipped : body);
}
