import { HpsError } from "../../../proto/values/hps-error.ts";
import { formatSize } from "../../../proto/values/size.ts";

/** How much may be recorded, and how long it is kept. */
export interface RecordingQuotas {
  /** Of one session, in bytes. */
  readonly sessionBytes: number;
  /** Of all together; the oldest that have ended make room. */
  readonly totalBytes: number;
  /** After the session's end, in milliseconds. */
  readonly keepMs: number;
}

/** The room there is for recordings: each that is written asks first. */
export class RecordingRoom {
  readonly quotas: RecordingQuotas;
  readonly #makeRoom: () => Promise<void>;
  #held = 0;
  #isFull = false;

  /** `makeRoom` is called when there is none left: it removes what it can, and calls `counted`. Must not reject. */
  constructor(quotas: RecordingQuotas, makeRoom: () => Promise<void>) {
    this.quotas = quotas;
    this.#makeRoom = makeRoom;
  }

  /** Bytes that all recordings hold, as far as is known. */
  get held(): number {
    return this.#held;
  }

  /** Before a new recording: a session that has ended may leave its room to it. */
  async prepare(): Promise<void> {
    if (this.#held > this.quotas.totalBytes) await this.#makeRoom();
  }

  /** Before a session's recording of `written` bytes grows by about `more`. `exhausted` when it may not. */
  admit(written: number, more: number): void {
    const { sessionBytes, totalBytes } = this.quotas;
    if (written + more > sessionBytes) throw sessionFull(sessionBytes);
    if (this.#held + more <= totalBytes) return;
    // What is written until the oldest are gone is little beside them.
    void this.#makeRoom();
    if (this.#isFull) throw allFull(totalBytes);
  }

  grew(bytes: number): void {
    this.#held += bytes;
  }

  /** All was counted anew, and what could be removed is: `held` bytes are left, more or less than was thought. */
  counted(difference: number): void {
    this.#held += difference;
    this.#isFull = this.#held > this.quotas.totalBytes;
  }
}

function sessionFull(bytes: number): HpsError {
  return new HpsError("exhausted", `the session's recording has reached its quota of ${formatSize(bytes)}`, {
    hint: "open another session; shell.recordings.sessionQuota of hpsd's configuration is the limit",
  });
}

function allFull(bytes: number): HpsError {
  const what = `the recordings of open sessions have reached the quota of all, ${formatSize(bytes)}`;
  return new HpsError("exhausted", what, {
    hint: "end some sessions; shell.recordings.totalQuota of hpsd's configuration is the limit",
  });
}
