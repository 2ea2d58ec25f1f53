import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readCertificatesFile, readPrivateKeyFile, writeCertificatesFile, writePrivateKeyFile } from "./files.ts";
import { makeKey, privateKeyPem } from "./key.ts";
import { makeChain } from "./test-chain.ts";

const folder = await mkdtemp(join(tmpdir(), "hps-files-"));
afterAll(() => rm(folder, { recursive: true }));
const pem = privateKeyPem(makeKey().privateKey);

test("a key file is 0600 whatever the umask, replaces the old one, and leaves nothing beside it", async () => {
  const home = join(folder, "whole");
  await mkdir(home);
  const path = join(home, "key.pem");
  await writeFile(path, "old", { mode: 0o644 });
  await writePrivateKeyFile(path, pem);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readPrivateKeyFile(path)).toBe(pem);
  expect(await readdir(home)).toEqual(["key.pem"]);
});

test.each([0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666])("a key of mode %o is refused", async (mode) => {
  const path = join(folder, `loose ${mode}.pem`);
  await writePrivateKeyFile(path, pem);
  await chmod(path, mode);
  const refused = { code: "precondition", hint: `run: chmod 600 '${path}'` };
  await expect(readPrivateKeyFile(path)).rejects.toMatchObject(refused);
  const link = `${path}.link`;
  await symlink(path, link);
  await expect(readPrivateKeyFile(link)).rejects.toMatchObject({ code: "precondition" });
});

test.runIf(process.geteuid?.() === 0)("a key of another user is refused", async () => {
  const path = join(folder, "theirs.pem");
  await writePrivateKeyFile(path, pem);
  const { chown } = await import("node:fs/promises");
  await chown(path, 65534, 65534);
  await expect(readPrivateKeyFile(path)).rejects.toThrow(/belongs to another user \(uid 65534\)/);
});

test("what cannot be read or written says so", async () => {
  await expect(readPrivateKeyFile(join(folder, "none.pem"))).rejects.toMatchObject({ code: "not-found" });
  await expect(readPrivateKeyFile(folder)).rejects.toThrow(/is not a file/);
  await expect(writePrivateKeyFile(join(folder, "no/such/key.pem"), pem)).rejects.toThrow(/cannot write/);
  const path = join(folder, "big.pem");
  await writeFile(path, Buffer.alloc(1024 * 1024 + 1), { mode: 0o600 });
  await expect(readPrivateKeyFile(path)).rejects.toThrow(/larger than/);
});

test("a strict umask does not hide certificates", async () => {
  const path = join(folder, "shown.pem");
  const before = process.umask(0o077);
  try {
    await writeCertificatesFile(path, [(await makeChain()).root.certificate]);
  } finally {
    process.umask(before);
  }
  expect((await stat(path)).mode & 0o777).toBe(0o644);
});

test("certificates keep their order", async () => {
  const { root, intermediate } = await makeChain();
  const path = join(folder, "chain.pem");
  await writeCertificatesFile(path, [intermediate.certificate, root.certificate]);
  const read = await readCertificatesFile(path);
  expect(read.map((certificate) => certificate.subject)).toEqual([
    intermediate.certificate.subject,
    root.certificate.subject,
  ]);
  await writeFile(path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  await expect(readCertificatesFile(path)).rejects.toThrow(/malformed certificate/);
  await writeFile(path, "");
  await expect(readCertificatesFile(path)).rejects.toThrow(/no certificate/);
});
