import type { IdentityKind } from "./identity.ts";

/** Extended key usages (RFC 5280 section 4.2.1.12). */
export const USAGE = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" } as const;

/** What a peer does in a connection. */
export type Purpose = keyof typeof USAGE;

/** What a certificate of one kind may be. */
export interface Profile {
  /** Its one use. A server never dials out with its certificate, so nothing has two; TLS itself refuses the other use. */
  readonly purpose: Purpose;
  /** The longest life, in milliseconds. */
  readonly longest: number;
  /** Whether it carries DNS names and addresses, and then at least one. */
  readonly named: boolean;
}

const DAY = 24 * 60 * 60 * 1000;

/**
 * What a host's agent answers operators with while no hpsd is there: a server's use under a host's identity, for hours. It opens
 * nothing at hpsd, which takes no peer with that use, and nobody takes it for hpsd, whose identity is `/server/`.
 */
export const HOST_DOOR: Profile = { purpose: "server", longest: DAY, named: true };

/** The server decides the life within these bounds. All leaves: P-256, ECDSA with SHA-256, key usage digitalSignature. */
export const PROFILES: Readonly<Record<IdentityKind, Profile>> = {
  server: { purpose: "server", longest: 366 * DAY, named: true },
  operator: { purpose: "client", longest: 366 * DAY, named: false },
  installer: { purpose: "client", longest: 7 * DAY, named: false },
  host: { purpose: "client", longest: 90 * DAY, named: false },
};
