/** Who signs, far from hpsd: a key in a file, or one that never leaves a token. */

import { withSignature } from "../../proto/image/signed.ts";
import { isSignedBy } from "../../proto/image/signing-key.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Terminal } from "../output/terminal.ts";

export interface Signer {
  /** Ed25519 over the bytes themselves: 64 bytes. */
  readonly sign: (bytes: Uint8Array) => Promise<Buffer>;
  /** The key's 32 bytes, where they can be had. */
  readonly publicKey?: Buffer;
}

export interface SignerOptions {
  readonly key?: string;
  readonly pkcs11?: string;
  readonly passphraseFile?: string;
}

/** The signer that the options name; `invalid` unless they name just one. */
export async function signerOf(terminal: Terminal, options: SignerOptions): Promise<Signer> {
  const { key, pkcs11, passphraseFile } = options;
  if ((key === undefined) === (pkcs11 === undefined)) {
    throw new HpsError("invalid", "name the key that signs: --key FILE or --pkcs11 URI", {
      hint: "to make one: openssl genpkey -algorithm ed25519 -aes-256-cbc -out image.key",
    });
  }
  if (key !== undefined) {
    const { fileSigner } = await import("./file-signer.ts");
    return await fileSigner(terminal, key, passphraseFile);
  }
  const { tokenSigner } = await import("./token-signer.ts");
  return tokenSigner(terminal, pkcs11 ?? "", passphraseFile);
}

/** The bytes with the signature of `signer`, whose key is one of `keys`. */
export async function signWith(
  signer: Signer,
  bytes: Uint8Array,
  keys: () => Promise<readonly Uint8Array[]>,
): Promise<Buffer> {
  const signature = await signer.sign(bytes);
  const candidates = signer.publicKey === undefined ? await keys() : [signer.publicKey];
  const key = candidates.find((candidate) => isSignedBy(bytes, signature, candidate));
  if (key === undefined) {
    throw new HpsError("denied", "what signed is no key of the cluster's set, or did not sign with plain Ed25519", {
      hint: "hpsctl cluster keys CLUSTER shows the set",
    });
  }
  return withSignature(bytes, key, signature);
}
