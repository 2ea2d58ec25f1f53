import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fillTftpRoot } from "./tftp-root.ts";

test("the root holds readable copies of what there is, and loses what there is no more", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hps-tftp-"));
  try {
    const root = join(folder, "root");
    await mkdir(join(folder, "set"));
    await writeFile(join(folder, "set", "ipxe.efi"), "efi 1", { mode: 0o600 });
    const source = join(folder, "set", "ipxe.efi");
    await fillTftpRoot(root, { "ipxe.efi": source, "undionly.kpxe": undefined });
    expect(await readdir(root)).toEqual(["ipxe.efi"]);
    expect((await stat(join(root, "ipxe.efi"))).mode & 0o777).toBe(0o644);
    await writeFile(source, "efi 2");
    await fillTftpRoot(root, { "ipxe.efi": source, "undionly.kpxe": source });
    expect(await readFile(join(root, "ipxe.efi"), "utf8")).toBe("efi 2");
    await fillTftpRoot(root, { "ipxe.efi": undefined, "undionly.kpxe": source });
    expect(await readdir(root)).toEqual(["undionly.kpxe"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
