import { createPublicKey, type KeyObject, type X509Certificate } from "node:crypto";
import { rm } from "node:fs/promises";
import { certificateIdentity } from "../../certs/certificate-identity.ts";
import { type Credentials, pairCredentials, readCredentialFiles } from "../../certs/credentials.ts";
import {
  readCertificatesPem,
  readPrivateKeyFile,
  writeCertificatesFile,
  writePrivateKeyFile,
} from "../../certs/files.ts";
import { identityText, type PeerIdentity } from "../../certs/identity.ts";
import { type KeyPair, makeKey, privateKeyPem, readPrivateKeyPem } from "../../certs/key.ts";
import type { Lifetime } from "../../certs/renewal.ts";
import { createTrust } from "../../certs/trust.ts";
import { verifyPeer } from "../../certs/verify.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type Contact, readContact, writeContact } from "./contact.ts";
import type { StateFolder } from "./state-folder.ts";

/** Who the agent is at present: renewal changes it, and the next connection uses what it is then. */
export class Identity {
  readonly contact: Contact;
  readonly peer: PeerIdentity;
  readonly #folder: StateFolder;
  #credentials: Credentials;

  constructor(folder: StateFolder, contact: Contact, credentials: Credentials) {
    this.#folder = folder;
    this.contact = contact;
    this.#credentials = credentials;
    this.peer = certificateIdentity(credentials.certificate).identity;
  }

  get credentials(): Credentials {
    return this.#credentials;
  }

  get life(): Lifetime {
    const { validFromDate, validToDate } = this.#credentials.certificate;
    return { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() };
  }

  /** Takes a new certificate for the same key and the same peer, once it is on disk. */
  async renew(chain: readonly X509Certificate[]): Promise<void> {
    const { contact, peer } = this;
    this.#credentials = await keep(this.#folder, this.#credentials.privateKey, { chain, contact, peer });
  }
}

/** The identity in the folder; undefined when there is none, or it is not of this claim. `claimDigest` undefined: of an installed system. */
export async function loadIdentity(folder: StateFolder, claimDigest?: string): Promise<Identity | undefined> {
  const contact = await readContact(folder.contact);
  if (contact === undefined || contact.claimDigest !== claimDigest) return undefined;
  try {
    return new Identity(folder, contact, await readCredentialFiles(folder.key, folder.chain));
  } catch (error) {
    if (error instanceof HpsError && error.code === "not-found") return undefined;
    throw error;
  }
}

/** The key of this claim: the one in the folder when it was made for it, so that asking again after a lost answer is no second asker. */
export async function claimKey(folder: StateFolder, contact: Contact): Promise<KeyPair> {
  const known = await readContact(folder.contact);
  if (known !== undefined && known.claimDigest === contact.claimDigest) {
    const privateKey = readPrivateKeyPem(await readPrivateKeyFile(folder.key));
    return { privateKey, publicKey: createPublicKey(privateKey) };
  }
  const pair = makeKey();
  await rm(folder.chain, { force: true });
  await writePrivateKeyFile(folder.key, privateKeyPem(pair.privateKey));
  await writeContact(folder.contact, contact); // last: it says whose the key is
  return pair;
}

/** What an issued chain must be. */
export interface Expected {
  readonly chain: readonly X509Certificate[];
  readonly contact: Contact;
  readonly peer: PeerIdentity;
}

/** Checks what was issued and writes it down. */
export async function keepIdentity(folder: StateFolder, privateKey: KeyObject, expected: Expected): Promise<Identity> {
  return new Identity(folder, expected.contact, await keep(folder, privateKey, expected));
}

async function keep(folder: StateFolder, privateKey: KeyObject, expected: Expected): Promise<Credentials> {
  const credentials = pairCredentials(privateKey, expected.chain);
  checkIssued(credentials, expected);
  await writeCertificatesFile(folder.chain, expected.chain);
  return credentials;
}

/** Chain, use and name. Times are hpsd's to judge, for this machine's clock may be wrong. */
function checkIssued({ certificate, intermediates }: Credentials, { contact, peer }: Expected): void {
  const roots = readCertificatesPem(contact.rootCertificate, "the claim");
  const trust = createTrust(
    roots,
    intermediates.filter((authority) => !roots.some(({ raw }) => raw.equals(authority.raw))),
  );
  const now = certificate.validToDate.getTime(); // when, by construction, everything above it is valid too
  const { identity } = verifyPeer(trust, { leaf: certificate.raw, purpose: "client", now });
  if (identityText(identity) !== identityText(peer)) {
    throw new HpsError(
      "precondition",
      `hpsd issued a certificate of ${identityText(identity)} to ${identityText(peer)}`,
    );
  }
}
