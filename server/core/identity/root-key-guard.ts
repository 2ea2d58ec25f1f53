import { createPrivateKey, createPublicKey, type KeyObject, type X509Certificate } from "node:crypto";
import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";
import path from "node:path";
import { HpsError } from "../../../proto/values/hps-error.ts";

/** A private key is a few hundred bytes; what is much larger is something else. */
const LARGEST_KEY_FILE = 64 * 1024;

/**
 * SQLite's own files, which are not looked into: closing any of them drops this process's locks (fcntl(2)) under SQLite's feet, and
 * the next program that opens the store takes its log away.
 */
const STORE_FILE = /\.db(\.lock|-wal|-shm|-journal)?$/;

const PEM_KEY = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[^-]*-----END \1PRIVATE KEY-----/g;

/**
 * Refuses (`precondition`) a state folder in which the root's private key lies: in clear in PEM or DER, or any encrypted
 * key, because hpsd itself never writes one. Whoever takes the state folder must not take the root with it.
 */
export async function refuseRootKey(stateFolder: string, root: X509Certificate): Promise<void> {
  for (const entry of await readdir(stateFolder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() && !entry.isSymbolicLink()) continue;
    if (STORE_FILE.test(entry.name)) continue;
    const file = path.join(entry.parentPath, entry.name);
    const bytes = await smallFile(file);
    if (bytes === undefined || !holdsKeyOf(bytes, root)) continue;
    throw new HpsError("precondition", `the root's private key lies in the state folder: ${file}`, {
      hint: "move it to a place hpsd cannot read, such as a disk that is switched off",
    });
  }
}

/** Undefined for what is no file, too large or gone: a key must be read to be used. */
async function smallFile(file: string): Promise<Buffer | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  try {
    const stat = await handle?.stat();
    if (stat === undefined || !stat.isFile() || stat.size > LARGEST_KEY_FILE) return undefined;
    return await handle?.readFile();
  } finally {
    await handle?.close();
  }
}

function holdsKeyOf(bytes: Buffer, root: X509Certificate): boolean {
  const pems = bytes.toString("latin1").match(PEM_KEY) ?? [];
  return (
    pems.some((pem) => pem.includes("ENCRYPTED") || isKeyOf(pem, root)) || derKeys(bytes).some((key) => fits(key, root))
  );
}

function derKeys(bytes: Buffer): readonly KeyObject[] {
  // Every private key is a SEQUENCE.
  if (bytes[0] !== 0x30) return [];
  const kinds = ["pkcs8", "sec1"] as const;
  return kinds.flatMap((type) => readKey(() => createPrivateKey({ key: bytes, format: "der", type })));
}

function isKeyOf(pem: string, root: X509Certificate): boolean {
  return readKey(() => createPrivateKey(pem)).some((key) => fits(key, root));
}

function readKey(read: () => KeyObject): readonly KeyObject[] {
  try {
    return [read()];
  } catch {
    return [];
  }
}

function fits(key: KeyObject, root: X509Certificate): boolean {
  return createPublicKey(key).equals(root.publicKey);
}
