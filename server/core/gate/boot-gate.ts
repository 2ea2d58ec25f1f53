import { randomUUID } from "node:crypto";
import type { IpAddress } from "../../../proto/values/ip-address.ts";
import type { Mac } from "../../../proto/values/mac.ts";
import { insertClaim, voidClaims } from "../../store/claims.ts";
import type { Tx } from "../../store/database.ts";
import { type GateView, gateViewByMac, type OpenView } from "../../store/gate-view.ts";
import { updateInstallation } from "../../store/installations.ts";
import type { AuditActor } from "../audit/audit.ts";
import type { Contacts } from "../hosts/contacts.ts";
import { BOOT_RULES, type BootDecision, hostStateOf, isOverdue, takesMachines } from "./boot-decision.ts";
import { Budget } from "./budget.ts";
import { forgetOldest } from "./forget-oldest.ts";
import { type GateParts, refusal } from "./gate-parts.ts";
import { doubtAbout, type Neighbour } from "./sender.ts";

/** A machine asks how to boot. */
export interface BootAsk {
  /** What the request says; proven below or refused. */
  readonly mac: Mac;
  /** The request's source address. */
  readonly address: IpAddress;
  readonly neighbour: Neighbour;
  /** What the machine says of itself, bounded; for unknown machines. */
  readonly inventory: ReadonlyMap<string, string>;
}

/** From a DHCP answer to dnsmasq's word of it, on a machine that is busy. */
const LEASE_GRACE_MS = 3_000;
/** How soon a machine whose earlier agent may still live asks again. */
const WAIT_SECONDS = 15;
/** How soon a machine that was let in and is not armed yet asks again. */
const ARM_SECONDS = 5;
/** A word of the agent later than this after another boot of its host comes from another machine. */
const LAST_WORDS_MS = 5_000;
/** What a machine asked while its agent lived says nothing about a boot long after. */
const REBOOT_MS = 300_000;
const MOST_KEYS = 10_000;
const MINUTE = 60_000;
/** A machine that boots asks once or twice; one that asks on and on must fill neither store nor audit log. */
const CLAIMS = { most: 30, everyMs: MINUTE, keys: MOST_KEYS };
const LOCAL_BOOTS = { most: 10, everyMs: MINUTE, keys: MOST_KEYS };

/** Decides what a machine that boots from the network gets: script or refusal, never both. */
export class BootGate {
  readonly #parts: GateParts;
  readonly #contacts: Contacts;
  /** When a host whose agent lived asked for a boot script first. */
  readonly #rebooting = new Map<string, number>();
  /** Unknown machines by MAC, known ones by host: what the audit log hears of them, and what they get. */
  readonly #greetings: Budget;
  /** Unknown machines that were shown the menu. */
  readonly #atMenu = new Set<Mac>();
  readonly #localBoots = new Budget(LOCAL_BOOTS);
  readonly #claims = new Budget(CLAIMS);

  constructor(parts: GateParts, contacts: Contacts) {
    this.#parts = parts;
    this.#contacts = contacts;
    this.#greetings = new Budget({ most: 1, everyMs: parts.settings.contactWindow, keys: MOST_KEYS });
  }

  /** Throws `denied` with an incident id when the sender is not the machine it says, or may have nothing. */
  async boot(ask: BootAsk): Promise<BootDecision> {
    const { leases, loaders, clock, store, settings } = this.#parts;
    loaders.asked(ask.address);
    const isOurs = ask.neighbour === "elsewhere" || (ask.neighbour !== "absent" && ask.neighbour.mac === ask.mac);
    const lease = await leases.soonAbout(ask.address, ask.mac, isOurs ? (settings.leaseGrace ?? LEASE_GRACE_MS) : 0);
    const now = clock();
    const doubt = doubtAbout({ claimedMac: ask.mac, lease, neighbour: ask.neighbour, now });
    if (doubt !== undefined) throw await this.#refuse(ask, undefined, doubt);
    const view = await store.read((db) => gateViewByMac(db, ask.mac));
    if (view !== undefined) return await this.#bootKnown(ask, view);
    if (lease === undefined || lease.seenAt + this.#parts.settings.contactWindow <= now) {
      throw await this.#refuse(ask, undefined, "the machine is unknown and its time for a first contact is over");
    }
    await this.#greet(ask);
    return { kind: "first-contact" };
  }

  /** It asks again and again while it waits; the audit log hears of it once a window. */
  async #greet(ask: BootAsk): Promise<void> {
    const { clock, store, audit } = this.#parts;
    this.#remember(ask.mac);
    await this.#contacts.seen(ask.mac, ask.address, ask.inventory);
    if (!this.#greetings.spend(ask.mac, clock())) return;
    await store.write((tx) => audit.allowed(tx, actorOf(ask), { reason: "first contact of an unknown machine" }));
  }

  #remember(mac: Mac): void {
    this.#atMenu.delete(mac);
    this.#atMenu.add(mac);
    forgetOldest(this.#atMenu, MOST_KEYS);
  }

  async #bootKnown(ask: BootAsk, view: GateView): Promise<BootDecision> {
    const { installation, hostName } = view;
    const now = this.#parts.clock();
    switch (BOOT_RULES[hostStateOf(view, now)]) {
      case "claim":
        return await this.#claimFor(ask, view);
      case "refuse-frozen":
        throw await this.#refuse(ask, view, `${hostName} is frozen: two machines claimed it`);
      case "refuse-unarmed":
        // It is let in by two words: one that asks between them would be refused, and leave the menu for good.
        if (this.#atMenu.delete(ask.mac))
          return { kind: "wait", reason: `${hostName} is known now and not armed yet`, seconds: ARM_SECONDS };
        throw await this.#refuse(
          ask,
          view,
          installation !== undefined && isOverdue(installation, now)
            ? `the window of ${hostName} is over`
            : `${hostName} is not armed`,
        );
      case "local-disk":
        await this.#allow(ask, view, "boots its own disk");
        return { kind: "local-disk", hostName };
    }
  }

  /** A claim voids the older one, and is given only when the agent of an earlier boot is gone. */
  async #claimFor(ask: BootAsk, { hostId, hostName }: GateView): Promise<BootDecision> {
    const { store, clock, presence, settings } = this.#parts;
    const now = clock();
    if (!this.#claims.spend(hostId, now)) return { kind: "wait", reason: busy(hostName), seconds: WAIT_SECONDS };
    const decided = await store.write(async (tx): Promise<BootDecision | { kind: "frozen"; view: GateView }> => {
      const view = await gateViewByMac(tx, ask.mac);
      // It was otherwise a moment ago: asked again, it gets the answer of now.
      const same = view?.installation !== undefined && view.hostId === hostId && takesMachines(view.installation, now);
      if (!same) return { kind: "wait", reason: busy(hostName), seconds: 1 };
      if (!presence.isGone(hostId, now)) return await this.#earlierAgentLives(tx, view, ask);
      this.#rebooting.delete(view.installation.id);
      await voidClaims(tx, view.installation.id, now, "newer claim");
      const claimId = randomUUID();
      const { mac, address } = ask;
      const times = { issuedAt: now, expiresAt: now + settings.claimTtl };
      await insertClaim(tx, { id: claimId, installationId: view.installation.id, hostId, mac, address, ...times });
      await this.#parts.audit.allowed(tx, actorOf(ask), subjectOf(view, "gets the installer with a claim"));
      const installer = this.#parts.installers.current?.digest ?? "";
      await updateInstallation(tx, view.installation.id, { installer }).execute();
      return { kind: "install", claimId, hostName: view.hostName, installationId: view.installation.id, installer };
    });
    if (decided.kind !== "frozen") return decided;
    throw await this.#refuse(ask, decided.view, "two machines claim this host");
  }

  /**
   * A machine that restarted stays silent on its old stream. When the agent speaks after another machine with its MAC
   * asked how to boot, there are two.
   */
  async #earlierAgentLives(
    tx: Tx,
    view: GateView & { readonly installation?: OpenView | undefined },
    ask: BootAsk,
  ): Promise<BootDecision | { kind: "frozen"; view: GateView }> {
    const { presence, clock, installations, audit } = this.#parts;
    const { hostId, hostName, installation } = view;
    const wait: BootDecision = { kind: "wait", reason: busy(hostName), seconds: WAIT_SECONDS };
    if (installation === undefined) return wait;
    const askedAt = this.#rebooting.get(installation.id);
    const heardAt = presence.lastHeardAt(hostId) ?? 0;
    if (askedAt === undefined || askedAt + REBOOT_MS <= clock()) {
      this.#rebooting.set(installation.id, clock());
      await audit.allowed(tx, actorOf(ask), subjectOf(view, "waits: the agent of an earlier boot may live"));
      return wait;
    }
    if (heardAt <= askedAt + LAST_WORDS_MS) return wait;
    this.#rebooting.delete(installation.id);
    const reason = "another machine with its MAC booted while the agent lives";
    await installations.apply(tx, installation.id, "conflict", { actor: actorOf(ask).actor, reason });
    return { kind: "frozen", view };
  }

  async #allow(ask: BootAsk, view: GateView, reason: string): Promise<void> {
    const { store, audit, clock } = this.#parts;
    if (!this.#localBoots.spend(view.hostId, clock())) return;
    await store.write((tx) => audit.allowed(tx, actorOf(ask), subjectOf(view, reason)));
  }

  async #refuse(ask: BootAsk, view: GateView | undefined, reason: string) {
    const subject = view === undefined ? { reason } : subjectOf(view, reason);
    return await refusal(this.#parts.refusals, actorOf(ask), subject);
  }
}

const busy = (hostName: string) => `${hostName} is being installed already`;

function actorOf(ask: BootAsk): AuditActor {
  return { actor: `mac:${ask.mac}`, action: "boot.script", address: ask.address };
}

function subjectOf(view: GateView, reason: string) {
  return { target: `host:${view.hostId}`, clusterId: view.clusterId, reason };
}
