import { createHash } from "node:crypto";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { MirrorUrl } from "../../proto/values/mirror-url.ts";
import { Connections } from "./connections.ts";
import { hpsdOrigin, mirrorOrigin } from "./file-origin.ts";
import type { FileRef, Span } from "./file-request.ts";
import type { Identity } from "./identity.ts";
import { type Chunk, Origins, type Patience, type ReadOptions, type ReadSpan, readSpan } from "./read-span.ts";

/** The files that hpsd serves to this agent. */
export interface Files {
  /**
   * The bytes of a file, in order. An hpsd or a network that is away is waited for, and the rest fetched from where it
   * broke off. Nothing may be trusted before the end: only there are length and digest known to be right, or it throws
   * `data-loss`.
   */
  read(file: FileRef, options: ReadOptions): AsyncIterable<Buffer>;
  /** For reading many parts of files, which may be at `baseUrls` too: those are asked first, in their order. */
  open(baseUrls: readonly MirrorUrl[]): SpanFiles;
}

/** Files in parts. Nothing that comes is verified. */
export interface SpanFiles {
  /** Number of the origin that is hpsd itself, the last one: for what is there alone. */
  readonly hpsd: number;
  /** As `Files.read` for a part, but each piece is valid until the next is asked for; from origin `origin` and those after it, where that is told. */
  read(file: FileRef, span: Span, options: ReadOptions & Pick<ReadSpan, "origin">): AsyncIterable<Chunk>;
  /** What origin `origin` gave was not what it should be: gives the next one to be asked, undefined when there is none. */
  distrust(origin: number): number | undefined;
  /** Keeps no connection any longer. */
  close(): void;
}

export interface FilesOptions extends Patience {
  /** As it is when a request is made: renewal changes it. */
  readonly identity: Pick<Identity, "contact" | "credentials">;
}

/** Requests at a time that do not each open a connection. */
const CONNECTIONS = 4;

/** Files over HTTPS, with the agent's certificate. */
export function filesOf(options: FilesOptions): Files {
  return {
    read: (file, read) => readFile(file, { ...options, ...read, origins: new Origins([hpsdOrigin(options.identity)]) }),
    open: (baseUrls) => openSpans(baseUrls, options),
  };
}

/** Each request proves who asks; a connection for each would take more time than many of the parts. */
function openSpans(baseUrls: readonly MirrorUrl[], options: FilesOptions): SpanFiles {
  const { identity } = options;
  const connections = new Connections(CONNECTIONS);
  const mirrors = baseUrls.map((base) => mirrorOrigin(base, identity.contact));
  const origins = new Origins([...mirrors, hpsdOrigin(identity)], connections);
  return {
    hpsd: mirrors.length,
    read: (file, span, read) => readSpan(file, span, { ...options, ...read, origins }),
    distrust: (origin) => {
      origins.leave(origin);
      return origin < origins.all.length - 1 ? origin + 1 : undefined;
    },
    close: () => connections.close(),
  };
}

async function* readFile(file: FileRef, options: ReadSpan): AsyncGenerator<Buffer, void> {
  const { what } = options;
  const hash = createHash("sha256");
  for await (const { bytes } of readSpan(file, { from: 0, to: file.sizeBytes }, options)) {
    hash.update(bytes);
    yield Buffer.from(bytes); // who reads it may keep it
  }
  if (hash.digest("hex") !== file.digest) throw altered(`${what} came with other content than its digest says`);
}

function altered(message: string): HpsError {
  return new HpsError("data-loss", message, {
    hint: "what is on the server is damaged, or was changed on its way: import it again, then hpsctl installation retry HOST",
  });
}
