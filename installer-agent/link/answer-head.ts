/** What an HTTP/1.1 server answers before its body. */

export interface AnswerHead {
  readonly status: number;
  /** By lower-case name. One that is there twice is neither. */
  readonly headers: ReadonlyMap<string, string>;
  /** Another request may follow on the same connection. */
  readonly isKept: boolean;
}

const LARGEST_HEAD = 16 * 1024;
const END = Buffer.from("\r\n\r\n");
const STATUS = /^HTTP\/1\.([01]) (\d{3})(?: |$)/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/s;

/** The head at the beginning of `bytes` and how long it is; undefined while it is not whole. Throws where there is none, or none that ends. */
export function readHead(bytes: Buffer): { readonly head: AnswerHead; readonly length: number } | undefined {
  const end = bytes.subarray(0, LARGEST_HEAD).indexOf(END);
  if (end === -1) {
    if (bytes.length >= LARGEST_HEAD) throw new Error("the server's answer begins with more than 16 KiB of headers");
    return undefined;
  }
  return { head: parseHead(bytes.toString("latin1", 0, end)), length: end + END.length };
}

function parseHead(text: string): AnswerHead {
  const [first = "", ...lines] = text.split("\r\n");
  const [, minor, status] = STATUS.exec(first) ?? [];
  if (status === undefined) throw new Error("what answers is no HTTP/1.1 server");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name = "", value = ""] = HEADER.exec(line) ?? [];
    if (name === "") throw new Error("the server's answer has a header that is none");
    const key = name.toLowerCase();
    headers.set(key, headers.has(key) && headers.get(key) !== value ? "" : value);
  }
  return { status: Number(status), headers, isKept: minor === "1" && headers.get("connection") !== "close" };
}

/** How long the body is; undefined when only its end says so, or it comes in chunks. */
export function bodyLength({ headers }: AnswerHead): number | undefined {
  const length = headers.get("content-length") ?? "";
  return headers.has("transfer-encoding") || !/^\d{1,15}$/.test(length) ? undefined : Number(length);
}

/** The content of a body in chunks, as far as it is there. */
export function unchunked(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = body.indexOf("\r\n", at);
    const [, digits] = /^([0-9a-fA-F]{1,6})(?:;|$)/.exec(body.toString("latin1", at, Math.max(end, at))) ?? [];
    const length = Number.parseInt(digits ?? "0", 16);
    if (end === -1 || length === 0) return Buffer.concat(parts);
    parts.push(body.subarray(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
}
