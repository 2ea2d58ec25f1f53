import { writeFile } from "node:fs/promises";
import { HpsError } from "../../proto/values/hps-error.ts";
import { signIntermediateRequest } from "../core/identity/sign-intermediate.ts";
import type { CommandContext } from "./command-context.ts";
import { readText } from "./read-text.ts";

export interface CaSignFlags {
  readonly rootKey: string;
  /** Default: beside the key. */
  readonly rootCertificate?: string;
  readonly rootPassphraseFile?: string;
  readonly out: string;
}

/** Signs a prepared intermediate with the root key, on whatever machine that lies. Needs no hpsd and no network. */
export async function caSign(request: string, flags: CaSignFlags, context: CommandContext): Promise<void> {
  const [requestPem, rootPem, rootKeyPem] = await Promise.all([
    readText(request),
    readText(flags.rootCertificate ?? `${flags.rootKey}.pem`),
    readText(flags.rootKey),
  ]);
  const passphrase = await passphraseOf(flags, context);
  const signed = await signIntermediateRequest({ rootPem, rootKeyPem, passphrase, requestPem, now: Date.now() });
  await writeFile(flags.out, signed, { flag: "wx" }).catch((cause: unknown) => {
    throw new HpsError("exists", `cannot make the file ${flags.out}`, {
      hint: "name one that does not exist yet",
      cause,
    });
  });
  context.print(`signed    ${flags.out}; install it with hpsctl cert install-intermediate ${flags.out}`);
}

async function passphraseOf({ rootPassphraseFile }: CaSignFlags, { ask }: CommandContext): Promise<string> {
  if (rootPassphraseFile !== undefined) return (await readText(rootPassphraseFile)).replace(/\n$/, "");
  if (ask === undefined)
    throw new HpsError("invalid", "hpsd ca sign needs --root-passphrase-file when no one can be asked");
  return await ask("Passphrase of the root key: ", { hidden: true });
}
