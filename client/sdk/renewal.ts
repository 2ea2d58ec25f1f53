import { createPublicKey } from "node:crypto";
import { writeCertificatesFile } from "../../certs/files.ts";
import { renewalTime } from "../../certs/renewal.ts";
import type { Profile } from "./profile.ts";

/** A command waits no longer than this for its certificate to be renewed. */
const RENEWAL_MS = 3000;

/**
 * The profile with a new certificate, for the same key, when two thirds of the old one's life are over; its file is replaced
 * whole. Else the profile as it is: also when the certificate has expired or it is not known where to renew it.
 */
export async function renewWhenDue(profile: Profile, now: number): Promise<Profile> {
  const { https, credentials } = profile;
  const { certificate, privateKey } = credentials;
  const life = { notBefore: certificate.validFromDate.getTime(), notAfter: certificate.validToDate.getTime() };
  if (https === undefined || now < renewalTime(life, 0) || now > life.notAfter) return profile;
  const { reenrolOperator } = await import("./est.ts");
  const renewed = await reenrolOperator({
    url: https,
    root: profile.root,
    key: { privateKey, publicKey: createPublicKey(privateKey) },
    old: credentials,
    now,
    timeoutMs: RENEWAL_MS,
  });
  await writeCertificatesFile(profile.certificatePath, [renewed.certificate, ...renewed.intermediates]);
  return { ...profile, credentials: renewed };
}
