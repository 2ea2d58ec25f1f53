import { randomBytes, X509Certificate } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { geteuid } from "node:process";
import { HpsError } from "../proto/values/hps-error.ts";

const LARGEST_FILE = 1024 * 1024;

/** Writes a private key (PEM), 0600, so that after a power cut the file is the old one or the new one, whole. */
export async function writePrivateKeyFile(path: string, pem: string): Promise<void> {
  await replaceFile(path, pem, 0o600);
}

/** Writes certificates as one PEM file, 0644, leaf first as TLS wants them; whole or not at all. */
export async function writeCertificatesFile(path: string, certificates: readonly X509Certificate[]): Promise<void> {
  await replaceFile(path, certificates.map((certificate) => certificate.toString()).join(""), 0o644);
}

/** Reads a private key's PEM. Refuses a file that others may read or write, or that belongs to someone else. */
export async function readPrivateKeyFile(path: string): Promise<string> {
  return readFileWith(path, checkPrivate);
}

/** Reads the certificates of a PEM file, in its order; at least one. */
export async function readCertificatesFile(path: string): Promise<readonly X509Certificate[]> {
  return readCertificatesPem(await readFileWith(path), path);
}

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM text; `source` names it in errors. */
export function readCertificatesPem(pem: string, source: string): readonly X509Certificate[] {
  const blocks = pem.match(PEM_BLOCK) ?? [];
  if (blocks.length === 0) throw new HpsError("invalid", `${source} holds no certificate in PEM`);
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new HpsError("invalid", `${source} holds a malformed certificate`, { cause });
    }
  });
}

/** The handle, not the path, is asked: what was checked is what is read. */
async function checkPrivate(file: FileHandle, path: string): Promise<void> {
  const { mode, uid } = await file.stat();
  if ((mode & 0o077) !== 0) {
    const shown = (mode & 0o777).toString(8).padStart(4, "0");
    throw new HpsError("precondition", `private key ${path} is open to others (mode ${shown})`, {
      hint: `run: chmod 600 ${quoted(path)}`,
    });
  }
  if (uid !== 0 && uid !== geteuid?.()) {
    throw new HpsError("precondition", `private key ${path} belongs to another user (uid ${uid})`, {
      hint: `run: chown ${geteuid?.()} ${quoted(path)}`,
    });
  }
}

function quoted(path: string): string {
  return /^[\w./+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

async function readFileWith(path: string, check?: (file: FileHandle, path: string) => Promise<void>): Promise<string> {
  const file = await openOrSay(path);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new HpsError("invalid", `${path} is not a file`);
    await check?.(file, path);
    if (stat.size > LARGEST_FILE) throw new HpsError("invalid", `${path} is larger than ${LARGEST_FILE} bytes`);
    return await file.readFile("latin1");
  } finally {
    await file.close();
  }
}

async function openOrSay(path: string): Promise<FileHandle> {
  try {
    // A pipe at this path must not hang us.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw new HpsError(
      missing ? "not-found" : "precondition",
      `${path} ${missing ? "does not exist" : "cannot be read"}`,
      {
        cause,
      },
    );
  }
}

async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.new`;
  try {
    await writeSynced(temporary, text, mode);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new HpsError("precondition", `cannot write ${path}`, { cause });
  }
}

async function writeSynced(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, "wx", mode);
  try {
    await file.writeFile(text);
    await file.chmod(mode); // whatever the umask took away
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the rename itself durable. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
