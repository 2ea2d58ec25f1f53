import { type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { formatSize } from "../../../proto/values/size.ts";
import type { Uuid } from "../../../proto/values/uuid.ts";
import { sumKeptRecordings } from "../../store/direct-access.ts";
import { selectSession } from "../../store/sessions.ts";
import { actorOfCaller } from "../audit/audit.ts";
import { syncFolder } from "../files/durable.ts";
import type { Authority } from "../identity/authority.ts";
import type { RecordsRefusals } from "../identity/refusals.ts";
import type { AgentCaller } from "../operations/agent-messages.ts";
import { type KeptSession, takeKeptRecording } from "./kept-recording.ts";
import type { RecordingRoom } from "./recording-room.ts";
import { type SessionHost, SessionRecords, type SessionRecordsDeps } from "./session-records.ts";

export interface KeptRecordingsDeps extends SessionRecordsDeps {
  /** Where recordings lie. */
  readonly folder: string;
  /** Where they come in. */
  readonly spool: string;
  readonly authority: Pick<Authority, "trust">;
  readonly refusals: RecordsRefusals;
  readonly room: RecordingRoom;
  /** Bytes of one host's that are held at a time; default 1 GiB. */
  readonly mostOfHost?: number;
}

/** What an agent announces. */
export interface KeptWish {
  readonly session: Uuid;
  readonly bytes: number;
  /** Of its last link. */
  readonly digest: string;
}

/** A delivery that goes on. */
export interface Delivery {
  /** Bytes that are here. */
  readonly offset: number;
  /** `invalid` beyond what was announced. */
  readonly append: (bytes: Uint8Array) => Promise<void>;
  /** Durable, verified, in the store and the audit log when it resolves. */
  readonly finish: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Of one session, as agents keep them: see docs/shell-direct.md. */
const LARGEST = 256 * 1024 * 1024;
/** Of one host: what a host that lies delivers must not push everybody's recordings out. */
const MOST_OF_HOST = 1024 * 1024 * 1024;

/** Recordings of sessions that went past hpsd, as the hosts' agents bring them. */
export class KeptRecordings {
  readonly #deps: KeptRecordingsDeps;
  readonly #records: SessionRecords;
  /** Hosts whose delivery goes on. */
  readonly #busy = new Set<string>();

  constructor(deps: KeptRecordingsDeps) {
    this.#deps = deps;
    this.#records = new SessionRecords(deps);
  }

  /** Undefined when it is here already. One at a time of a host: `unavailable`; `exhausted` when there is no room. */
  async begin(caller: AgentCaller, wish: KeptWish): Promise<Delivery | undefined> {
    const { hostId } = caller.principal;
    checkWish(wish);
    if (await this.#isHere(hostId, wish.session)) return undefined;
    await this.#checkRoom(hostId, wish);
    if (this.#busy.has(hostId)) throw new HpsError("unavailable", "this host delivers another recording now");
    this.#busy.add(hostId);
    try {
      const file = await this.#open(hostId, wish);
      return this.#delivery(caller, wish, file);
    } catch (error) {
      this.#busy.delete(hostId);
      throw error;
    }
  }

  #delivery(caller: AgentCaller, wish: KeptWish, { handle, size, name }: Spooled): Delivery {
    const { hostId } = caller.principal;
    let written = size;
    return {
      offset: Math.min(size, wish.bytes),
      append: async (bytes) => {
        if (written + bytes.length > wish.bytes) throw new HpsError("invalid", "more of the recording than announced");
        await handle.appendFile(bytes);
        written += bytes.length;
      },
      finish: async () => {
        if (written !== wish.bytes) throw new HpsError("invalid", "less of the recording than announced");
        await handle.sync();
        await this.#take(caller, wish, name);
        await rm(name, { force: true });
      },
      close: async () => {
        this.#busy.delete(hostId);
        await handle.close();
      },
    };
  }

  async #take(caller: AgentCaller, wish: KeptWish, file: string): Promise<void> {
    const { authority, clock, folder, room } = this.#deps;
    const { hostId } = caller.principal;
    await room.prepare();
    room.admit(0, wish.bytes);
    await mkdir(folder, { mode: 0o700, recursive: true });
    const host = await this.#records.hostOf(hostId);
    const source = { ...wish, hostId, host: host.host, file, folder, trust: authority.trust(), now: clock() };
    try {
      const kept = await takeKeptRecording(source);
      room.grew(kept.bytes);
      await syncFolder(folder);
      await this.#write(caller, host, wish, kept);
    } catch (error) {
      if (!(error instanceof HpsError) || !["data-loss", "invalid"].includes(error.code)) throw error;
      await rm(file, { force: true });
      throw await this.#refused(caller, host, wish, error);
    }
  }

  async #write(caller: AgentCaller, host: SessionHost, wish: KeptWish, kept: KeptSession): Promise<void> {
    const { begin, start, startedAt, endedAt, ending } = kept;
    const { code: exitCode, reason: endReason, recording } = ending;
    const row = {
      ...{ id: wish.session, hostId: caller.principal.hostId, ...host, operator: begin.operator },
      ...{ command: start.command, reason: start.reason, address: begin.address, agentRun: "", approver: "" },
      ...{ startedAt, endedAt, endsAt: null, idleLimit: 0, exitCode, endReason, recorded: true, keptByAgent: true },
      ...{
        recordingBytes: recording.bytes,
        recordingDigest: recording.digest,
        recordingRemovedAt: null,
        certificate: "",
        strict: false,
      },
    };
    const more = { chain: wish.digest, list: String(begin.counter) };
    await this.#records.kept(row, actorOfCaller(caller), ending, more);
  }

  async #refused(caller: AgentCaller, { clusterId }: SessionHost, wish: KeptWish, error: HpsError): Promise<HpsError> {
    const { session, digest } = wish;
    const subject = { target: `host:${caller.principal.hostId}`, clusterId, reason: error.message };
    const details = { session, chain: digest, reason: "recording" };
    const incident = await this.#deps.refusals.refused(actorOfCaller(caller), { ...subject, details });
    return new HpsError("data-loss", error.message, { details: { incident }, cause: error });
  }

  async #checkRoom(hostId: string, { bytes }: KeptWish): Promise<void> {
    const { mostOfHost = MOST_OF_HOST } = this.#deps;
    const held = await this.#deps.store.read((db) => sumKeptRecordings(db, hostId));
    if (held + bytes <= mostOfHost) return;
    throw new HpsError("exhausted", `hpsd holds ${formatSize(held)} of recordings that this host's agent kept`, {
      hint: `at most ${formatSize(mostOfHost)} of one host; retention makes room`,
    });
  }

  /** `exists` when the id is another session's. */
  async #isHere(hostId: string, session: string): Promise<boolean> {
    const row = await this.#deps.store.read((db) => selectSession(db, session));
    if (row === undefined) return false;
    if (row.hostId === hostId && row.keptByAgent === true) return true;
    throw new HpsError("exists", `session ${session} is another one's`);
  }

  /**
   * Of each host there is one file, so that a host that delivers nothing whole takes no more room than one recording. It is named by
   * what was announced: only that goes on.
   */
  async #open(hostId: string, { session, digest }: KeptWish): Promise<Spooled> {
    const { spool } = this.#deps;
    await mkdir(spool, { mode: 0o700, recursive: true });
    const own = `${hostId}.${session}.${digest.replace(/^sha256:/, "")}`;
    for (const name of await readdir(spool)) {
      if (name.startsWith(`${hostId}.`) && name !== own) await rm(path.join(spool, name), { force: true });
    }
    const name = path.join(spool, own);
    const handle = await open(name, "a", 0o600);
    return { handle, name, size: (await handle.stat()).size };
  }
}

interface Spooled {
  readonly handle: FileHandle;
  readonly name: string;
  readonly size: number;
}

function checkWish({ bytes, digest }: KeptWish): void {
  if (!(bytes > 0 && bytes <= LARGEST)) {
    throw new HpsError("invalid", `a recording of ${bytes} bytes is not taken`, {
      hint: `at most ${formatSize(LARGEST)}`,
    });
  }
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw new HpsError("invalid", "the recording's digest is none");
}
