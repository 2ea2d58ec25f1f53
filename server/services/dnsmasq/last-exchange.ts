import type { Ipv4Address } from "../../../proto/values/ip-address.ts";
import type { Lease, LeaseEvent, LeaseNews } from "./lease-event.ts";

interface Exchange extends Lease {
  readonly seenAt: number;
}

/**
 * Tells a machine's own exchange from dnsmasq's repetitions of the lease (at its start and at every SIGHUP): an exchange moves the expiry.
 * Else every reload would open the window of first contact anew. As many entries as dnsmasq has leases.
 */
export class LastExchange {
  readonly #byAddress = new Map<Ipv4Address, Exchange>();

  /** `longestSeconds` is the longest lease given: of a lease first heard of in a repetition, the exchange is not later than that before its end. */
  date(news: LeaseNews, now: number, longestSeconds: number): LeaseEvent {
    if (news.kind === "pxe") return { ...news, seenAt: now };
    const seenAt = this.#seenAt(news, now, longestSeconds);
    if (news.kind === "del") this.#byAddress.delete(news.address);
    else this.#byAddress.set(news.address, { mac: news.mac, address: news.address, expiresAt: news.expiresAt, seenAt });
    return { ...news, seenAt };
  }

  #seenAt(
    { kind, mac, address, expiresAt }: Lease & { readonly kind: string },
    now: number,
    longestSeconds: number,
  ): number {
    const last = this.#byAddress.get(address);
    if (last?.mac !== mac) return kind === "add" ? now : Math.min(now, expiresAt - longestSeconds * 1000);
    return kind === "add" || (kind === "old" && expiresAt > last.expiresAt) ? now : last.seenAt;
  }
}
