import type { WindowSize } from "../../../proto/values/terminal.ts";
import type { FileDigest } from "./recording-file.ts";

/** What came from the agent. */
export type OutputKind = "output" | "errorOutput";

/** How a session ended, as the recording tells it. */
export interface RecordedEnd {
  /** 128 + signal when killed; null when the program did not end by itself. */
  readonly code: number | null;
  readonly reason: string;
  /** Bytes and digests of each direction. */
  readonly traffic: Readonly<Record<string, string>>;
}

/** What is kept of one session. A failure rejects, and then nothing more may be shown. */
export interface Recording {
  /** Size of its files. */
  readonly bytes: number;
  /** Of the terminal's output: the offset of what comes next. 0 for a command, which nobody resumes. */
  readonly outputBytes: number;
  /** Bytes of it that were lost for the recording too, and that `outputBytes` does not count. */
  readonly missingBytes: number;
  /** What is typed or sent is kept too. */
  readonly recordsInput: boolean;
  /** Resolves when it is in the file. */
  output(kind: OutputKind, bytes: Uint8Array): Promise<void>;
  /** What is typed or sent; kept only when the session was begun so. */
  input(bytes: Uint8Array): Promise<void>;
  resize(size: WindowSize): Promise<void>;
  /** A moment a viewer may want to find: who joined, a link that was lost. */
  mark(label: string): Promise<void>;
  /** So many bytes of output are lost here. Durable when it resolves: what comes next has its place by it. */
  gap(bytes: number): Promise<void>;
  /** Closes the files without an end, durable: another process goes on. */
  suspend(): Promise<void>;
  /** Durable when it resolves. Call once, also after a failure: it closes the files. */
  finish(end: RecordedEnd): Promise<FileDigest>;
}

/** `strict`: no recording, no shell. `best-effort`: the operator is told that there is none. */
export type RecordingMode = "strict" | "best-effort";

/** What to call the session in its recording. */
export interface RecordedSession {
  readonly id: string;
  readonly host: string;
  readonly operator: string;
  readonly reason: string;
  /** UTC milliseconds. */
  readonly startedAt: number;
}
