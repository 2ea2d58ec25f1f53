import type { Socket } from "node:net";
import type { FastifyRequest } from "fastify";
import { groupOf } from "../../proto/rpc/listener.ts";
import type { Principal } from "../core/identity/principal.ts";
import { addressOf } from "./peer.ts";

/** A host that reads much of an image in pieces asks some hundred times a minute; this is as much again, many times. */
const HOST_SHARE = 10;

/**
 * Whose requests count as whose: a host's as its own once a connection of it got a file, so that a rack of them behind one
 * address does not use that address's up. Until then, and all of others, as their address's. It lets nobody in.
 */
export class CountedHosts {
  /** By connection: who holds its key does not change. */
  readonly #hosts = new WeakMap<Socket, string>();
  readonly #perMinute: number;

  /** Requests of one address in a minute. */
  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** What a route's `rateLimit` takes. */
  get limit() {
    return {
      keyGenerator: ({ socket }: FastifyRequest) => this.#hosts.get(socket) ?? groupOf(addressOf({ socket })),
      max: ({ socket }: FastifyRequest) => this.#perMinute * (this.#hosts.has(socket) ? HOST_SHARE : 1),
    };
  }

  /** It proved to be this host or installer, and was given what it asked for. */
  know({ socket }: FastifyRequest, principal: Principal): void {
    if (principal.kind === "host" || principal.kind === "installer")
      this.#hosts.set(socket, `host ${principal.hostId}`);
  }
}
