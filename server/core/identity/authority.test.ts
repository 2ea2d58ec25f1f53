import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { makeRequest } from "../../../certs/csr.ts";
import { makeKey, privateKeyPem, readPrivateKeyPem } from "../../../certs/key.ts";
import { verifyPeer } from "../../../certs/verify.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { openTestStore } from "../testing/open-test-store.ts";
import { issueTestPeer, openTestIdentity, TEST_PASSPHRASE, type TestIdentity } from "../testing/test-identity.ts";
import { Authority } from "./authority.ts";
import { initAuthority } from "./init-authority.ts";
import { IntermediateRotation } from "./intermediate-rotation.ts";
import { LIFETIME } from "./lifetimes.ts";
import { ServerCredentials } from "./server-credentials.ts";
import { signIntermediateRequest } from "./sign-intermediate.ts";

const WHO = { actor: "hpsd", action: "test", address: "" };
const ID = "01900000-0000-7000-8000-000000000001";
const shows = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

const reopen = ({ store, folder, clock }: TestIdentity) => Authority.open({ store, stateFolder: folder, clock });

async function signed(identity: TestIdentity, requestPem: string): Promise<string> {
  const rootKeyPem = await readFile(identity.rootKeyFile, "utf8");
  const { rootPem } = identity.authority;
  const now = identity.clock();
  return await signIntermediateRequest({ rootPem, rootKeyPem, passphrase: TEST_PASSPHRASE, requestPem, now });
}

function serverOf(identity: TestIdentity, dnsNames: readonly string[] = ["localhost"]): Promise<ServerCredentials> {
  const { store, authority, certificates, audit, clock } = identity;
  const names = { name: "hpsd", dnsNames, ipAddresses: ["127.0.0.1", "::1"] };
  const onError = (error: unknown) => expect.unreachable(String(error));
  return ServerCredentials.open({ store, authority, certificates, audit, clock, ...names, onError });
}

test("init leaves the root's key, encrypted, only where it was told, and cannot be done twice", async () => {
  await using identity = await openTestIdentity();
  const rootKey = await readFile(identity.rootKeyFile, "utf8");
  expect(rootKey).toContain("ENCRYPTED PRIVATE KEY");
  expect(readPrivateKeyPem(rootKey, TEST_PASSPHRASE).type).toBe("private");
  expect(await readdir(path.join(identity.folder, "ca"))).toHaveLength(1);
  const { store, clock, folder } = identity;
  const again = { store, clock, stateFolder: folder, trustDomain: "other.example", passphrase: "long enough" };
  const twice = initAuthority({ ...again, rootKeyOut: `${identity.rootKeyFile}.2` });
  await expect(twice).rejects.toEqual(shows("precondition", /initialised already, for trust domain test.example/));
});

test("init refuses to put the root's key into the state folder, or over a file", async () => {
  await using identity = await openTestIdentity();
  await using store = await openTestStore();
  const folder = path.join(path.dirname(identity.rootKeyFile), "state");
  const init = {
    store,
    stateFolder: folder,
    clock: identity.clock,
    trustDomain: "a.example",
    passphrase: "long enough",
  };
  const inside = initAuthority({ ...init, rootKeyOut: path.join(folder, "sub", "..", "root.key") });
  await expect(inside).rejects.toEqual(shows("invalid", /may not lie in the state folder/));
  const over = initAuthority({ ...init, rootKeyOut: identity.rootKeyFile });
  await expect(over).rejects.toEqual(shows("exists", /exists/));
});

test("a guess at the root key's passphrase costs what OWASP asks", async () => {
  await using identity = await openTestIdentity();
  await using store = await openTestStore();
  const outside = path.dirname(identity.rootKeyFile);
  const [stateFolder, rootKeyOut] = [path.join(outside, "state"), path.join(outside, "dear.key")];
  const init = { store, clock: identity.clock, trustDomain: "a.example", passphrase: "long enough" };
  await initAuthority({ ...init, stateFolder, rootKeyOut });
  const body = (await readFile(rootKeyOut, "utf8")).replace(/-----[^-]+-----/g, "");
  // N 16384, r 8, p 5, as INTEGERs one after the other.
  expect(Buffer.from(body, "base64").toString("hex")).toContain("02024000020108020105");
});

test("hpsd does not start with the root's key in its state folder, in any form", async () => {
  await using identity = await openTestIdentity();
  const encrypted = await readFile(identity.rootKeyFile, "utf8");
  const key = readPrivateKeyPem(encrypted, TEST_PASSPHRASE);
  const forms = {
    "note.txt": `my key:\n${encrypted}`,
    "clear.pem": privateKeyPem(key),
    "sec1.pem": key.export({ type: "sec1", format: "pem" }),
    "pkcs8.der": key.export({ type: "pkcs8", format: "der" }),
    "sec1.der": key.export({ type: "sec1", format: "der" }),
  };
  for (const [name, bytes] of Object.entries(forms)) {
    const file = path.join(identity.folder, name);
    await writeFile(file, bytes);
    await expect(reopen(identity), name).rejects.toEqual(
      shows("precondition", /root's private key lies in the state folder/),
    );
    await writeFile(file, privateKeyPem(makeKey().privateKey));
    await reopen(identity);
  }
});

test("key files and their folder that others may read are refused", async () => {
  await using identity = await openTestIdentity();
  const folder = path.join(identity.folder, "ca");
  const [name = ""] = await readdir(folder);
  await chmod(path.join(folder, name), 0o640);
  await expect(reopen(identity)).rejects.toEqual(shows("precondition", /open to others/));
  await chmod(path.join(folder, name), 0o600);
  await chmod(folder, 0o750);
  await expect(reopen(identity)).rejects.toEqual(shows("precondition", /open to others/));
  await chmod(folder, 0o700);
  await reopen(identity);
});

test("an intermediate is prepared here, signed with the root's key elsewhere, and takes over", async () => {
  await using identity = await openTestIdentity();
  const { authority, store, audit, clock } = identity;
  const rotation = new IntermediateRotation({ store, authority, audit, clock });
  await expect(rotation.install(WHO, await signed(identity, pem(makeRequest(makeKey()))))).rejects.toEqual(
    shows("precondition", /no intermediate is prepared/),
  );
  const before = await authority.sign({
    kind: "host",
    subject: ID,
    publicKey: makeKey().publicKey,
    lifetimeMs: LIFETIME.host,
  });
  await rotation.prepare(WHO);
  const request = await rotation.prepare(WHO);
  expect(await readdir(path.join(identity.folder, "ca"))).toHaveLength(2);
  await expect(rotation.install(WHO, await signed(identity, pem(makeRequest(makeKey()))))).rejects.toEqual(
    shows("invalid", /not the certificate authority's/),
  );
  await expect(rotation.install(WHO, authority.rootPem)).rejects.toThrow(HpsError);
  await rotation.install(WHO, await signed(identity, request));
  const after = await authority.sign({
    kind: "host",
    subject: ID,
    publicKey: makeKey().publicKey,
    lifetimeMs: LIFETIME.host,
  });
  expect(after.chainPem.split("-----BEGIN")[2]).not.toBe(before.chainPem.split("-----BEGIN")[2]);
  const again = await reopen(identity);
  for (const { chainPem } of [before, after]) {
    for (const { trust } of [{ trust: authority.trust() }, { trust: again.trust() }]) {
      const leaf = Buffer.from((chainPem.split("-----")[2] ?? "").replaceAll("\n", ""), "base64");
      expect(verifyPeer(trust, { leaf, purpose: "client", now: clock() }).identity).toEqual({ kind: "host", id: ID });
    }
  }
  expect(await readdir(path.join(identity.folder, "ca"))).toHaveLength(1);
});

test("the server certificate outlives a restart, and is made anew for other names and at two thirds of its life", async () => {
  await using identity = await openTestIdentity();
  const first = await serverOf(identity);
  first.close();
  const second = await serverOf(identity);
  expect(second.current).toEqual(first.current);
  second.close();
  const renamed = await serverOf(identity, ["localhost", "hps.example"]);
  expect(renamed.current.chain).not.toBe(first.current.chain);
  const pushed: string[] = [];
  renamed.onChange(({ chain }) => pushed.push(chain));
  await renamed.rotate(WHO);
  expect(pushed).toEqual([renamed.current.chain]);
  renamed.close();
  identity.clock.forward((LIFETIME.server * 2) / 3);
  const due = await serverOf(identity, ["localhost", "hps.example"]);
  const { promise, resolve } = Promise.withResolvers<string>();
  due.onChange(({ chain }) => resolve(chain));
  expect(await promise).not.toBe(pushed[0]);
  due.close();
});

test("nothing is signed beyond the profile or the intermediate's end", async () => {
  await using identity = await openTestIdentity();
  await expect(issueTestPeer(identity, { kind: "host", subject: ID, lifetimeMs: 2 * LIFETIME.host })).rejects.toEqual(
    shows("invalid", /cannot live/),
  );
  identity.clock.forward(LIFETIME.intermediate - 86_400_000);
  const peer = await issueTestPeer(identity, { kind: "host", subject: ID });
  expect(peer.signed.notAfter).toBe(identity.authority.intermediateEnd);
});

function pem(der: Buffer): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
}
