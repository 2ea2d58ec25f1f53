/** Everyone who may come to the door, and how they come. */
import { generateKeyPairSync } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { createIntermediate, createRoot } from "../../certs/authority.ts";
import { issue } from "../../certs/issue.ts";
import { makeKey, privateKeyPem } from "../../certs/key.ts";
import { IdentityService } from "../../proto/gen/hps/v1/identity_pb.ts";
import type { Role } from "../../server/core/identity/principal.ts";
import { peerIdentity } from "../../server/core/identity/signed-certificate.ts";
import { addTestOperator } from "../../server/core/testing/test-rows.ts";
import { type Rig, TRUST_DOMAIN } from "./rig.ts";
import { prepare, type Subject } from "./subject.ts";
import { type Credentials, Wire } from "./wire.ts";

const HOUR = 3_600_000;

/** What a contract could tell apart. `bad`: the certificate opens nothing. */
export interface Who {
  readonly kind: "nobody" | "operator" | "installer" | "host";
  readonly certificate: "bad" | "waiting" | "good";
  /** By cluster: a is the one of the prepared objects, * is every one. */
  readonly roles?: { readonly a?: Role; readonly b?: Role; readonly "*"?: Role };
  /** Whether the prepared host or installation is this agent's own. */
  readonly own?: boolean;
}

/** The columns of the matrix. */
export const WHO = {
  none: { kind: "nobody", certificate: "bad" },
  wrongCa: { kind: "nobody", certificate: "bad" },
  expired: { kind: "nobody", certificate: "bad" },
  revoked: { kind: "nobody", certificate: "bad" },
  /** Revoked, and comes back with the TLS session it had before. */
  resumed: { kind: "nobody", certificate: "bad" },
  /** The host's own, while it is armed for re-installation. */
  suspended: { kind: "nobody", certificate: "bad" },
  /** The host's own, before the installed system first attached. */
  waiting: { kind: "host", certificate: "waiting", own: true },
  otherInstaller: { kind: "installer", certificate: "good", own: false },
  otherHost: { kind: "host", certificate: "good", own: false },
  installer: { kind: "installer", certificate: "good", own: true },
  host: { kind: "host", certificate: "good", own: true },
  noRole: { kind: "operator", certificate: "good", roles: {} },
  viewer: { kind: "operator", certificate: "good", roles: { a: "viewer" } },
  operator: { kind: "operator", certificate: "good", roles: { a: "operator" } },
  admin: { kind: "operator", certificate: "good", roles: { a: "admin" } },
  bOperator: { kind: "operator", certificate: "good", roles: { b: "operator" } },
  bAdmin: { kind: "operator", certificate: "good", roles: { b: "admin" } },
  /** Could do everything elsewhere, and here only look. */
  bAdminViewer: { kind: "operator", certificate: "good", roles: { a: "viewer", b: "admin" } },
  allOperator: { kind: "operator", certificate: "good", roles: { "*": "operator" } },
  allAdmin: { kind: "operator", certificate: "good", roles: { "*": "admin" } },
} as const satisfies Record<string, Who>;

export type WhoName = keyof typeof WHO;
// Wire boundary of the type system: keys of an object literal are its own.
export const NAMES = Object.keys(WHO) as readonly WhoName[];

/** One of them, connected. */
export interface Peer {
  readonly wire: Wire;
  /** What audit calls it. */
  readonly actor: string;
  /** Of an agent. */
  readonly hostId: string;
}

interface Holder {
  readonly kind: "operator" | "installer" | "host";
  readonly subject: string;
  readonly hostId: string;
}

const NOBODY = "address:127.0.0.1";

/** Connects each identity once, or once a subject where the certificate is about it. */
export class Peers {
  readonly rig: Rig;
  readonly #kept = new Map<string, Peer>();
  readonly #others: { readonly installer: Holder; readonly host: Holder };

  private constructor(rig: Rig, others: { readonly installer: Holder; readonly host: Holder }) {
    this.rig = rig;
    this.#others = others;
  }

  static async open(rig: Rig): Promise<Peers> {
    for (const [name, who] of Object.entries<Who>(WHO)) {
      if (who.kind === "operator") await addTestOperator(rig.core.store, name, bindingsOf(rig, who.roles ?? {}));
    }
    const { hostId: busy, installationId } = await prepare(rig, { state: "installing" });
    const { hostId: idle } = await prepare(rig, {});
    return new Peers(rig, {
      installer: { kind: "installer", subject: installationId, hostId: busy },
      host: { kind: "host", subject: idle, hostId: idle },
    });
  }

  /** `agents`: whom the method is for decides whose certificate it is that is revoked, expired and so on. */
  async connect(name: WhoName, subject: Subject, agents: boolean): Promise<Peer> {
    const { certificate, kind } = WHO[name];
    const about = subject.peers;
    const isOwn = name === "waiting" || name === "suspended" || name === "installer" || name === "host";
    const kept = isOwn || (agents && certificate === "bad") ? about : this.#kept;
    const known = kept.get(name);
    if (known !== undefined && !known.wire.isClosed) return known;
    const whose: Holder =
      agents || kind !== "nobody" ? this.#agent(subject) : { kind: "operator", subject: "allAdmin", hostId: "" };
    const peer = await this.#open(name, subject, whose);
    kept.set(name, peer);
    return peer;
  }

  close(): void {
    for (const { wire } of this.#kept.values()) wire.close();
  }

  #agent({ hostId, installationId }: Subject): Holder {
    return installationId === ""
      ? { kind: "host", subject: hostId, hostId }
      : { kind: "installer", subject: installationId, hostId };
  }

  async #open(name: WhoName, subject: Subject, whose: Holder): Promise<Peer> {
    const host: Holder = { kind: "host", subject: subject.hostId, hostId: subject.hostId };
    switch (name) {
      case "none":
        return { wire: await this.#wire(), actor: NOBODY, hostId: "" };
      case "wrongCa":
        return { wire: await this.#wire(await foreign(whose)), actor: NOBODY, hostId: "" };
      case "expired":
        return { ...(await this.#issued(whose, { age: 2 * HOUR })), actor: NOBODY };
      case "revoked":
        return await this.#issued(whose, { revoke: true });
      case "resumed":
        return await this.#resumed(whose);
      case "suspended":
        return await this.#issued(host, { state: "suspended" });
      case "waiting":
        return await this.#issued(host, { state: "waiting" });
      case "host":
        return await this.#issued(host);
      case "installer":
        return await this.#issued(this.#agent(subject));
      case "otherInstaller":
        return await this.#issued(this.#others.installer);
      case "otherHost":
        return await this.#issued(this.#others.host);
      default:
        return await this.#issued({ kind: "operator", subject: name, hostId: "" });
    }
  }

  async #issued(holder: Holder, defect: Defect = {}): Promise<Peer> {
    const { credentials, serial } = await this.#certificate(holder, defect);
    if (defect.revoke) await this.#revoke(serial);
    return this.#peer(holder, await this.#wire(credentials));
  }

  /** Used once while it was good; then it is revoked and its TLS session is offered again. */
  async #resumed(holder: Holder): Promise<Peer> {
    const { credentials, serial } = await this.#certificate(holder, {});
    const before = await this.#wire(credentials);
    const { whoAmI: method } = IdentityService.method;
    const requests = [toBinary(method.input, create(method.input))];
    const { code } = await before.call({ method, requests, isLast: () => false });
    if (code !== 0) throw new Error(`the certificate was not good before it was revoked: status ${code}`);
    const session = before.session;
    before.close();
    await this.#revoke(serial);
    const wire = await this.#wire(credentials, session);
    if (wire.socket.isSessionReused()) throw new Error("the server resumed the TLS session of a revoked certificate");
    return this.#peer(holder, wire);
  }

  #peer({ kind, subject, hostId }: Holder, wire: Wire): Peer {
    return { wire, actor: this.rig.core.authority.uriOf(kind, subject), hostId };
  }

  async #wire(credentials?: Credentials, session?: Buffer): Promise<Wire> {
    const { port, core } = this.rig;
    const { rootPem: ca } = core.authority;
    return await Wire.open({ port, ca, ...(credentials && { credentials }), ...(session && { session }) });
  }

  async #certificate({ kind, subject, hostId }: Holder, { age = 0, state = "valid" }: Defect) {
    const { core, time, clusters } = this.rig;
    const keys = makeKey();
    time.offset = -age;
    const signing = core.authority.sign({ kind, subject, publicKey: keys.publicKey, lifetimeMs: HOUR });
    time.offset = 0;
    const signed = await signing;
    await core.store.write(async (tx) => {
      const where = hostId === "" ? {} : { hostId, clusterId: clusters.a };
      await core.certificates.record(tx, signed, { ...where, state: state === "waiting" ? "waiting" : "valid" });
      // As arming would: but that the host stays as the method needs it.
      const row = tx.updateTable("certificate").set({ state }).where("serial", "=", signed.serial);
      if (state === "suspended") await row.execute();
    });
    return { credentials: { key: privateKeyPem(keys.privateKey), cert: signed.chainPem }, serial: signed.serial };
  }

  async #revoke(serial: string): Promise<void> {
    const { core } = this.rig;
    await core.store.write((tx) => core.certificates.revoke(tx, { serial }, "lost"));
  }
}

interface Defect {
  /** How long ago it was signed, ms; it lives an hour. */
  readonly age?: number;
  readonly state?: "valid" | "waiting" | "suspended";
  readonly revoke?: boolean;
}

/** By cluster id. */
function bindingsOf({ clusters }: Rig, roles: NonNullable<Who["roles"]>): Record<string, Role> {
  const ids = { ...clusters, "*": "*" };
  const places = ["a", "b", "*"] as const;
  return Object.fromEntries(places.flatMap((place) => (roles[place] ? [[ids[place], roles[place]]] : [])));
}

/** The same name, by an authority that calls itself as ours. */
async function foreign({ kind, subject }: Holder): Promise<Credentials> {
  const now = Date.now();
  const times = { now, lifetime: HOUR };
  const root = await createRoot({ trustDomain: TRUST_DOMAIN, name: "HPS root", ...times });
  const intermediate = await createIntermediate(root, { name: "HPS issuing", ...times });
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const leaf = await issue(intermediate, { identity: peerIdentity(kind, subject), publicKey, ...times });
  return { key: privateKeyPem(privateKey), cert: `${leaf}${intermediate.certificate}` };
}
