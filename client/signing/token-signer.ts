import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { SIGNATURE_BYTES } from "../../proto/image/signing-key.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote, safeText } from "../../proto/values/safe-text.ts";
import type { Terminal } from "../output/terminal.ts";
import { type Pkcs11Uri, parsePkcs11Uri } from "./pkcs11-uri.ts";
import { readSecret } from "./secret.ts";
import type { Signer } from "./signer.ts";

const run = promisify(execFile);

const PROGRAM = "pkcs11-tool";
/** A token may wait for a finger. */
const LIMIT_MS = 120_000;
/** So the PIN is in no command line, which others on this machine can read. */
const PIN_VARIABLE = "HPS_TOKEN_PIN";

/** Signs with a key that stays on its token, by OpenSC's pkcs11-tool. */
export function tokenSigner(terminal: Terminal, text: string, passphraseFile: string | undefined): Signer {
  const uri = parsePkcs11Uri(text);
  return {
    sign: async (bytes) => {
      const pin = await readSecret(terminal, "PIN of the token: ", passphraseFile ?? uri.pinFile);
      const folder = await mkdtemp(join(tmpdir(), "hpsctl-sign-"));
      try {
        const files = { input: join(folder, "statement"), output: join(folder, "signature") };
        await writeFile(files.input, bytes);
        const words = ["--sign", "--mechanism", "EDDSA", "--input-file", files.input, "--output-file", files.output];
        const id = uri.id ?? (await idOf(terminal, uri, pin));
        await runTool(terminal, [...login(uri), "--id", id, ...words], pin);
        return await signatureIn(files.output);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** To sign, pkcs11-tool heeds no label: of several keys it takes whichever comes first. */
async function idOf(terminal: Terminal, uri: Pkcs11Uri, pin: string): Promise<string> {
  const listed = await runTool(terminal, [...login(uri), "--list-objects", "--type", "privkey"], pin);
  const ids = listed.split(/^(?=\S)/m).flatMap((object) => {
    const [label, id] = [/^ +label: +(.*)$/m.exec(object)?.[1], /^ +ID: +([0-9a-f]+)$/m.exec(object)?.[1]];
    return label === uri.object && id !== undefined ? [id] : [];
  });
  const [id, other] = ids;
  if (id !== undefined && other === undefined) return id;
  const name = quote(uri.object ?? "");
  const what = id === undefined ? `has no private key ${name}` : `has ${ids.length} private keys ${name}`;
  throw new HpsError("precondition", `the token ${what}`, {
    hint: `${PROGRAM} --list-objects --type privkey --login shows them; id=%01 in place of object names one`,
  });
}

function login({ token, modulePath }: Pkcs11Uri): string[] {
  return [
    ...(modulePath === undefined ? [] : ["--module", modulePath]),
    ...(token === undefined ? [] : ["--token-label", token]),
    ...["--login", "--pin", `env:${PIN_VARIABLE}`],
  ];
}

async function runTool({ environment, signal }: Terminal, words: readonly string[], pin: string): Promise<string> {
  const env = { ...environment, LC_ALL: "C", [PIN_VARIABLE]: pin };
  const done = run(PROGRAM, words, { env, signal, timeout: LIMIT_MS });
  const { stdout } = await done.catch((cause: unknown) => {
    if (signal.aborted) throw signal.reason;
    const said = cause instanceof Error && "stderr" in cause ? String(cause.stderr).trim().slice(-500) : "";
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    if (isMissing) throw new HpsError("precondition", `${PROGRAM} is missing`, { hint: "install opensc", cause });
    throw new HpsError("precondition", `the token did not sign: ${safeText(said) || `${PROGRAM} was ended`}`, {
      hint: `try by hand: ${PROGRAM} --list-objects --type privkey --login; its mechanisms must have EDDSA`,
      cause,
    });
  });
  return stdout;
}

async function signatureIn(file: string): Promise<Buffer> {
  const signature = await readFile(file);
  if (signature.length === SIGNATURE_BYTES) return signature;
  throw new HpsError("precondition", `the token made ${signature.length} bytes, which are no Ed25519 signature`, {
    hint: "the key must be of Ed25519: pkcs11-tool --keypairgen --key-type EC:edwards25519",
  });
}
