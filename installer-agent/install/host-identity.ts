import { rm } from "node:fs/promises";
import { makeRequest } from "../../certs/csr.ts";
import { readCertificatesPem, writePrivateKeyFile } from "../../certs/files.ts";
import { makeKey, privateKeyPem } from "../../certs/key.ts";
import { writePrivateFile } from "../../proto/config/private-file.ts";
import type { ImageRef } from "../../proto/values/image-ref.ts";
import type { Uuid } from "../../proto/values/uuid.ts";
import { type Contact, writeContact } from "../link/contact.ts";
import { keepIdentity } from "../link/identity.ts";
import { openStateFolder } from "../link/state-folder.ts";

export interface HostIdentityOrder {
  /** The host agent's state folder in the target. */
  readonly folder: string;
  readonly contact: Contact;
  readonly hostId: string;
  readonly installation: Uuid;
  readonly image: ImageRef;
  /** Gives the chain (PEM) for a PKCS#10 request. */
  readonly issue: (request: Uint8Array<ArrayBuffer>) => Promise<string>;
}

/**
 * Makes the installed system's own key, which never leaves it, and has hpsd sign it. Done again it makes a new key, and
 * hpsd's new certificate takes the place of the one before. The contact comes last: with it the folder is an identity.
 */
export async function makeHostIdentity(order: HostIdentityOrder): Promise<void> {
  const { contact, hostId, installation, image, issue } = order;
  const folder = await openStateFolder(order.folder);
  for (const old of [folder.contact, folder.chain]) await rm(old, { force: true });
  const key = makeKey();
  await writePrivateKeyFile(folder.key, privateKeyPem(key.privateKey));
  const chain = readCertificatesPem(await issue(Uint8Array.from(makeRequest(key))), "hpsd's answer");
  const { grpc, https, trustDomain, rootCertificate } = contact;
  const own: Contact = { grpc, https, trustDomain, rootCertificate };
  await keepIdentity(folder, key.privateKey, { chain, contact: own, peer: { kind: "host", id: hostId } });
  await writePrivateFile(folder.image, `${image}\n`);
  await writePrivateFile(folder.installation, `${installation}\n`);
  await writeContact(folder.contact, own);
}
