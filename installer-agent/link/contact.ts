import { z } from "zod";
import { readSmallFile, writePrivateFile } from "../../proto/config/private-file.ts";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { parseEndpoint } from "../../proto/values/endpoint.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseHttpsUrl } from "../../proto/values/https-url.ts";
import { parseShape, textOf } from "../../proto/values/parsed.ts";

const contactSchema = z.object({
  grpc: textOf(parseEndpoint),
  https: textOf(parseHttpsUrl),
  trustDomain: textOf(parseDomainName),
  /** PEM. */
  rootCertificate: z.string().min(1).max(32_768),
  /** SHA-256 of the token this identity came from; absent in an installed system. */
  claimDigest: z.string().optional(),
});

/** Where hpsd is and whom to believe: no secret. */
export type Contact = z.output<typeof contactSchema>;

/** Undefined when there is none. */
export async function readContact(file: string): Promise<Contact | undefined> {
  const text = await readSmallFile(file);
  return text === undefined ? undefined : parseShape(contactSchema, jsonOf(text), "the contact file");
}

export async function writeContact(file: string, contact: Contact): Promise<void> {
  const { grpc, https, trustDomain, rootCertificate, claimDigest } = contact;
  await writePrivateFile(file, `${JSON.stringify({ grpc, https, trustDomain, rootCertificate, claimDigest })}\n`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HpsError("invalid", "the contact file is not JSON", { cause });
  }
}
