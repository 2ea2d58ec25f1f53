import type { KeyObject } from "node:crypto";
import { mkdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { readPrivateKeyFile, writePrivateKeyFile } from "../../../certs/files.ts";
import { privateKeyPem, readPrivateKeyPem } from "../../../certs/key.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";

/** `<state>/ca`: the private keys of hpsd, each 0600, in a folder that is nobody else's. */
export class KeyFolder {
  readonly #folder: string;

  constructor(stateFolder: string) {
    this.#folder = path.join(stateFolder, "ca");
  }

  /** Makes it when it is missing; refuses one that others may enter. */
  async open(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const { mode } = await stat(this.#folder);
    if ((mode & 0o077) === 0) return;
    throw new HpsError("precondition", `${this.#folder} is open to others (mode ${(mode & 0o777).toString(8)})`, {
      hint: `run: chmod 700 ${this.#folder}`,
    });
  }

  async write(name: string, key: KeyObject): Promise<void> {
    await writePrivateKeyFile(this.#file(name), privateKeyPem(key));
  }

  /** Refuses a file that others may read or write. */
  async read(name: string): Promise<KeyObject> {
    return readPrivateKeyPem(await readPrivateKeyFile(this.#file(name)));
  }

  async remove(name: string): Promise<void> {
    await rm(this.#file(name), { force: true });
  }

  #file(name: string): string {
    return path.join(this.#folder, `${name}.key`);
  }
}
