import { createPublicKey, type KeyObject, type X509Certificate } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { makeRequest } from "../../certs/csr.ts";
import { readPrivateKeyFile, writePrivateKeyFile } from "../../certs/files.ts";
import { makeKey, privateKeyPem, readPrivateKeyPem } from "../../certs/key.ts";
import type { RenewDirectAccessResponse } from "../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { describeError, type Log } from "../log.ts";
import { forgetKeptList, type KeptList, readKeptList, writeKeptList } from "./kept-list.ts";
import { arrivalProblem, type Clocks, listLeft } from "./list-time.ts";
import { type DirectList, readSignedList } from "./signed-list.ts";

export interface ListKeeperOptions {
  /** Its own, 0700; made when it is not there. */
  readonly folder: string;
  readonly hostId: string;
  readonly roots: readonly X509Certificate[];
  readonly log: Log;
  /** hpsd's answer to a certificate request; throws an HpsError. */
  readonly ask: (request: Uint8Array<ArrayBuffer>) => Promise<RenewDirectAccessResponse>;
  readonly clocks: () => Clocks;
}

/** The latest that the clock has shown is written down so often, so that setting it back shows after a restart too. */
const NOTE_MS = 5 * 60_000;

/** The list of who may enter this host directly: on the disk, so that it outlives the agent, and checked anew whenever it is read. */
export class ListKeeper {
  readonly #options: ListKeeperOptions;
  readonly #file: string;
  #kept: KeptList | undefined;
  #list: DirectList | undefined;
  #doorKey: KeyObject | undefined;
  /** How often all was forgotten: what was asked for before that is not wanted any more. */
  #forgotten = 0;
  #saving: Promise<void> = Promise.resolve();

  constructor(options: ListKeeperOptions) {
    this.#options = options;
    this.#file = join(options.folder, "list.json");
  }

  /** What an agent before this one has left. One that is not as it should be is forgotten, and said to be. */
  async open(): Promise<void> {
    const { folder, log } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      const kept = await readKeptList(this.#file);
      if (kept === undefined) return;
      this.#list = readSignedList(kept.signed, { ...this.#options, doorKey: await this.#key() });
      this.#kept = kept;
    } catch (error) {
      log.warn(`the kept list of who may enter directly is not taken: ${describeError(error)}`);
      await this.forget();
    }
  }

  /** The list while it is good; else why nobody may enter. */
  get current(): DirectList | string {
    if (this.#list === undefined || this.#kept === undefined) return "hpsd has given this host no list of who may";
    const left = listLeft(this.#list, this.#kept.arrival, this.#options.clocks());
    return typeof left === "string" ? left : this.#list;
  }

  /** There is one, good or not. */
  get hasList(): boolean {
    return this.#list !== undefined;
  }

  /** Milliseconds until it is time for another; 0 without one. */
  get renewIn(): number {
    if (this.#list === undefined || this.#kept === undefined) return 0;
    const left = listLeft(this.#list, this.#kept.arrival, this.#options.clocks());
    const half = (this.#list.expiresAt - this.#list.issuedAt) / 2;
    return typeof left === "string" ? 0 : Math.max(0, left - half);
  }

  /**
   * Asks hpsd for a new one. What is not signed, not newer, or not of this host's time takes the old one with it. `aborted` when all
   * was forgotten while hpsd answered.
   */
  async renew(): Promise<DirectList> {
    const { ask, clocks } = this.#options;
    const doorKey = await this.#key();
    const pair = { privateKey: doorKey, publicKey: createPublicKey(doorKey) };
    const forgotten = this.#forgotten;
    const answer = await ask(Uint8Array.from(makeRequest(pair)));
    if (forgotten !== this.#forgotten) throw new HpsError("aborted", "this host is to have no list any more");
    try {
      const { list, signature, signerChain, certificateChain } = answer;
      const signed = { list, signature, signerChain, certificateChain };
      const read = readSignedList(signed, { ...this.#options, doorKey });
      const now = clocks();
      const problem = arrivalProblem(read, now) ?? this.#ageProblem(read);
      if (problem !== undefined) throw new HpsError("precondition", problem);
      this.#kept = { signed, arrival: { ...now, latest: now.wall } };
      this.#list = read;
      await this.#save();
      return read;
    } catch (error) {
      await this.forget();
      throw error;
    }
  }

  async forget(): Promise<void> {
    this.#forgotten += 1;
    this.#kept = undefined;
    this.#list = undefined;
    await this.#save();
  }

  /** Call now and then. */
  async note(): Promise<void> {
    const kept = this.#kept;
    if (kept === undefined) return;
    const { wall } = this.#options.clocks();
    if (wall < kept.arrival.latest + NOTE_MS) return;
    this.#kept = { ...kept, arrival: { ...kept.arrival, latest: wall } };
    await this.#save();
  }

  /** The file is as what is kept is by then: one after the other, so that no older list comes back. */
  #save(): Promise<void> {
    const saved = this.#saving.then(async () => {
      if (this.#kept === undefined) await forgetKeptList(this.#file);
      else await writeKeptList(this.#file, this.#kept);
    });
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  #ageProblem({ counter }: DirectList): string | undefined {
    if (this.#list === undefined || counter > this.#list.counter) return undefined;
    return "hpsd gave an older list than the one that is here";
  }

  async #key(): Promise<KeyObject> {
    this.#doorKey ??= await doorKeyIn(this.#options.folder);
    return this.#doorKey;
  }
}

/** Of the door alone: the host's own key proves it to hpsd and nothing else. */
async function doorKeyIn(folder: string): Promise<KeyObject> {
  const file = join(folder, "door.key");
  try {
    return readPrivateKeyPem(await readPrivateKeyFile(file));
  } catch (error) {
    if (!(error instanceof HpsError) || error.code !== "not-found") throw error;
    const { privateKey } = makeKey();
    await writePrivateKeyFile(file, privateKeyPem(privateKey));
    return privateKey;
  }
}
