import { execFileSync } from "node:child_process";
import { createPublicKey } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publicKeyBytes } from "../../proto/image/signing-key.ts";
import { checkStatement, encodeStatement, parseSignedStatement } from "../../proto/image/statement.ts";
import { fakeTerminal } from "../testing/fake-terminal.ts";
import { signWith } from "./signer.ts";
import { tokenSigner } from "./token-signer.ts";

const STATEMENT = { cluster: "lab", name: "web:1", digest: "a".repeat(64), time: 1_700_000_000_000 };
const MODULE = "/usr/lib/softhsm/libsofthsm2.so";

let folder = "";
let environment: Record<string, string> = {};

/** A token in software, with keys that are made in it and never leave it. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hps-token-"));
  mkdirSync(join(folder, "tokens"));
  const config = join(folder, "softhsm2.conf");
  writeFileSync(config, `directories.tokendir = ${folder}/tokens\nobjectstore.backend = file\n`);
  environment = { PATH: process.env.PATH ?? "", SOFTHSM2_CONF: config };
  const run = (words: string) =>
    execFileSync("sh", ["-c", words], { env: environment, stdio: "pipe", timeout: 30_000 });
  run("softhsm2-util --init-token --free --label ops --pin 1234 --so-pin 5678");
  const tool = `pkcs11-tool --module ${MODULE} --token-label ops --login --pin 1234`;
  for (const [id, label] of ["images", "others"].entries()) {
    run(`${tool} --keypairgen --key-type EC:edwards25519 --label ${label} --id 0${id + 1}`);
    run(`${tool} --read-object --type pubkey --label ${label} --output-file ${folder}/${label}.pub`);
  }
  writeFileSync(join(folder, "pin"), "1234\n");
  writeFileSync(join(folder, "wrong"), "0000\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function keyOf(label: string): Buffer {
  return publicKeyBytes(createPublicKey(readFileSync(join(folder, `${label}.pub`))));
}

async function sign(selection: string, pin: string): Promise<Buffer> {
  const uri = `pkcs11:token=ops;${selection}?module-path=${MODULE}&pin-source=file:${join(folder, pin)}`;
  const signer = tokenSigner(fakeTerminal({ environment }), uri, undefined);
  return await signWith(signer, encodeStatement(STATEMENT), async () => [keyOf("images")]);
}

test("a key on a token signs, by its label or its id", async () => {
  expect(existsSync(MODULE)).toBe(true);
  for (const selection of ["object=images", "id=%01"]) {
    const found = parseSignedStatement(await sign(selection, "pin"));
    const expected = { cluster: "lab", name: "web:1", digest: STATEMENT.digest };
    expect(checkStatement(found, [keyOf("images")], expected)).toEqual(keyOf("images"));
  }
});

test("another key, no key and a wrong PIN sign nothing", async () => {
  await expect(sign("object=others", "pin")).rejects.toMatchObject({ message: /no key of the cluster's set/ });
  await expect(sign("object=none", "pin")).rejects.toMatchObject({ message: /has no private key "none"/ });
  await expect(sign("object=images", "wrong")).rejects.toMatchObject({ message: /did not sign: .*PIN_INCORRECT/s });
});
