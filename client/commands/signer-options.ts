import type { Command } from "commander";

/** Which key signs; `what` it is asked for. */
export function withSigner(command: Command, flag: "--key" | "--signed-by", what: string): Command {
  return command
    .option(`${flag} <file>`, `${what}: a private key of Ed25519, PKCS#8 in PEM`)
    .option("--pkcs11 <uri>", `${what}: a key on a token, pkcs11:token=…;object=…`)
    .option("--passphrase-file <file>", "its passphrase or PIN; default: asked for");
}
