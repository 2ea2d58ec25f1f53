import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AddImageSignatureRequest, SetImageKeysRequest } from "../../proto/gen/hps/v1/image_pb.ts";
import { checkNextKeySet } from "../../proto/image/key-set.ts";
import { keySetMessage, keySetsOf, signatureBytes } from "../../proto/image/signed-message.ts";
import { publicKeyBytes } from "../../proto/image/signing-key.ts";
import { checkStatement, parseSignedStatement } from "../../proto/image/statement.ts";
import { testKey, testKeySet } from "../../proto/image/testing/test-keys.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";

const start = useServers();
const [one, two] = [testKey(1), testKey(2)];
const digest = "a".repeat(64);
const set = testKeySet(1, [one]);
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sign-test-"));
  for (const [name, key] of Object.entries({ one, two })) {
    writeFileSync(join(folder, `${name}.key`), key.export({ type: "pkcs8", format: "pem" }));
    execFileSync("openssl", [
      "pkey",
      "-in",
      join(folder, `${name}.key`),
      "-pubout",
      "-out",
      join(folder, `${name}.pub`),
    ]);
  }
  const encrypted = one.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" });
  writeFileSync(join(folder, "encrypted.key"), encrypted);
  writeFileSync(join(folder, "secret"), "secret\n");
  writeFileSync(join(folder, "wrong"), "wrong\n");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** hpsd with one image and, unless told otherwise, one key. */
async function library(keys: typeof set | "none" = set) {
  const added: AddImageSignatureRequest[] = [];
  const sets: SetImageKeysRequest[] = [];
  const server = await start({
    clusters: { getCluster: async ({ name }) => ({ name }) },
    images: {
      getImage: async ({ name }) => ({ name, source: { manifest: { digest, sizeBytes: 1n } } }),
      addImageSignature: async (request) => {
        added.push(request);
        return {};
      },
      getImageKeys: async ({ cluster }) => {
        if (keys === "none") throw new HpsError("not-found", "no key set");
        return { cluster, keySet: keySetMessage([keys]) ?? {} };
      },
      setImageKeys: async (request) => {
        sets.push(request);
        return { cluster: request.cluster, keySet: request.keySet ?? {}, setBy: "alice" };
      },
    },
  });
  return { server, added, sets };
}

test.each([
  ["a key in a file", "--key FOLDER/one.key"],
  ["a key under a passphrase", "--key FOLDER/encrypted.key --passphrase-file FOLDER/secret"],
])("what a name stands for is signed with %s, which hpsd never sees", async (_, words) => {
  const { server, added } = await library();
  const said = await hpsctl(server, `--cluster lab image sign web:1 ${words.replaceAll("FOLDER", folder)}`);
  expect(said).toMatchObject({
    code: 0,
    err: expect.stringMatching(/^signed web:1, sha256:aaaa.* with key fd110d301d2f/),
  });
  const [request] = added;
  const found = parseSignedStatement(signatureBytes(request?.signature ?? expect.unreachable()));
  expect(checkStatement(found, [publicKeyBytes(one)], { cluster: "lab", name: "web:1", digest })).toBeDefined();
  expect(Math.abs(Date.now() - found.time)).toBeLessThan(60_000);
  expect(request).toMatchObject({ cluster: "lab", name: "web:1" });
});

test("a digest that was said must be hpsd's too", async () => {
  const { server, added } = await library();
  const sign = async (said: string) =>
    await hpsctl(server, `--cluster lab image sign web:1 --key ${folder}/one.key --digest sha256:${said}`);
  expect(await sign("b".repeat(64))).toMatchObject({ code: 4, err: expect.stringContaining("not what was said") });
  expect(added).toEqual([]);
  expect(await sign(digest)).toMatchObject({ code: 0 });
});

test.each([
  ["no key", "", /name the key that signs/],
  ["two keys", "--key a --pkcs11 pkcs11:object=a", /name the key that signs/],
  ["a wrong passphrase", "--key FOLDER/encrypted.key --passphrase-file FOLDER/wrong", /not opened by that passphrase/],
  ["nobody to ask", "--key FOLDER/encrypted.key", /nobody can be asked/],
  ["a public key", "--key FOLDER/one.pub", /no private key in PEM/],
  ["no file", "--key FOLDER/none", /cannot read the key that signs/],
  ["a URI without a key", "--pkcs11 pkcs11:token=a", /names no key/],
])("%s signs nothing", async (_, words, message) => {
  const { server, added } = await library();
  const all = ["--cluster", "lab", "image", "sign", "web:1", ...words.replaceAll("FOLDER", folder).split(" ")];
  const said = await hpsctl(server, all.filter(Boolean));
  expect(said.code).not.toBe(0);
  expect(said.err).toMatch(message);
  expect(added).toEqual([]);
});

/** A token that signs as `pkcs11-tool` does, with a key file. */
function fakeToken(key: string) {
  const file = join(folder, "pkcs11-tool");
  writeFileSync(
    file,
    `#!/bin/sh
echo "$@" > ${folder}/words
test "$HPS_TOKEN_PIN" = secret || { echo "PIN incorrect" >&2; exit 1; }
while [ $# -gt 0 ]; do case $1 in --input-file) in=$2;; --output-file) out=$2;; esac; shift; done
openssl pkeyutl -sign -rawin -inkey ${folder}/${key}.key -in "$in" -out "$out"
`,
  );
  chmodSync(file, 0o755);
  return { PATH: `${folder}:${process.env.PATH}` };
}

test("a token signs by pkcs11-tool; a key that is not the cluster's, or a wrong PIN, signs nothing", async () => {
  const { server, added } = await library();
  const sign = async (key: string, pin: string) =>
    await hpsctl(
      { environment: { ...server.environment, ...fakeToken(key) } },
      `--cluster lab image sign web:1 --pkcs11 pkcs11:token=t;id=%01%ab?pin-source=file:${folder}/${pin}`,
    );
  expect(await sign("one", "secret")).toMatchObject({ code: 0 });
  expect(execFileSync("cat", [join(folder, "words")], { encoding: "utf8" })).toMatch(
    /--token-label t --login --pin env:HPS_TOKEN_PIN --id 01ab --sign --mechanism EDDSA/,
  );
  expect(added).toHaveLength(1);
  expect((await sign("two", "secret")).err).toMatch(/no key of the cluster's set/);
  expect((await sign("one", "wrong")).err).toMatch(/the token did not sign: PIN incorrect/);
  expect(added).toHaveLength(1);
});

test("the first set needs no signature, the next one that of an old key", async () => {
  const first = await library("none");
  const said = await hpsctl(first.server, `cluster set-keys lab ${folder}/one.pub --yes`);
  expect(said).toMatchObject({ code: 0, out: expect.stringMatching(/one +fd110d301d2f/) });
  const [made] = keySetsOf(first.sets[0]?.keySet ?? expect.unreachable());
  expect(made).toMatchObject({ cluster: "lab", serial: 1, by: undefined, keys: [{ label: "one" }] });

  const { server, sets } = await library();
  const bare = await hpsctl(server, `cluster set-keys lab ops=${folder}/two.pub`);
  expect(bare).toMatchObject({ code: 2, err: expect.stringContaining("one of them must sign the new set") });
  await hpsctl(server, `cluster set-keys lab ops=${folder}/two.pub --signed-by ${folder}/one.key`);
  const [next = expect.unreachable()] = keySetsOf(sets[0]?.keySet ?? expect.unreachable());
  expect(next).toMatchObject({ serial: 2, keys: [{ label: "ops" }] });
  checkNextKeySet(set, next);
  const lost = await hpsctl(server, `cluster set-keys lab ${folder}/two.pub --without-old-key`);
  expect(lost).toMatchObject({ code: 2, err: expect.stringContaining("not confirmed") });
  const secret = await hpsctl(server, `cluster set-keys lab ${folder}/two.key --yes`);
  expect(secret).toMatchObject({ code: 2, err: expect.stringContaining("hpsd must never see") });
  expect(sets).toHaveLength(1);
});

test("whose signatures count is shown", async () => {
  const { server } = await library();
  const said = await hpsctl(server, "cluster keys lab");
  expect(said).toMatchObject({ code: 0, out: expect.stringMatching(/lab[\s\S]*key-0 +fd110d301d2f/) });
});
