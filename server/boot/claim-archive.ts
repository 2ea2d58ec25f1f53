/** Where the installer finds its claim. */
export const CLAIM_PATH = "etc/hps/claim.json";

const DIRECTORY = 0o040_755;
const SECRET_FILE = 0o100_600;
const ALIGNMENT = 4;

interface Entry {
  readonly name: string;
  readonly mode: number;
  readonly links: number;
  readonly data: Uint8Array;
}

/**
 * The claim as an archive of its own, for a second `initrd` line: cpio "newc" (Linux: Documentation/driver-api/early-userspace/buffer-format.rst)
 * with the folders on the way and one file of mode 0600, owned by root, padded to 4 bytes.
 */
export function claimArchive(claim: Uint8Array): Buffer {
  const parts = CLAIM_PATH.split("/");
  const none = new Uint8Array();
  const folders = parts.slice(1).map((_, index) => ({
    name: parts.slice(0, index + 1).join("/"),
    mode: DIRECTORY,
    links: 2,
    data: none,
  }));
  const file = { name: CLAIM_PATH, mode: SECRET_FILE, links: 1, data: claim };
  const end = { name: "TRAILER!!!", mode: 0, links: 1, data: none };
  return Buffer.concat([...folders, file, end].map(encodeEntry));
}

function encodeEntry({ name, mode, links, data }: Entry, index: number): Buffer {
  const [uid, gid, time, device, check] = [0, 0, 0, 0, 0];
  const inode = index + 1;
  const path = Buffer.from(`${name}\0`);
  const fields = [inode, mode, uid, gid, links, time, data.length, device, device, device, device, path.length, check];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), path])), padded(data)]);
}

function padded(bytes: Uint8Array): Buffer {
  const missing = (ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT;
  return Buffer.concat([bytes, Buffer.alloc(missing)]);
}
