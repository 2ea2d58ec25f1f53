import { type RequestOptions, request } from "node:https";
import { z } from "zod";
import { serverIdentityCheck } from "../../certs/server-name.ts";
import { ERROR_TABLE, type ErrorCode, HpsError } from "../../proto/values/hps-error.ts";
import { type HttpsUrl, httpsUrlParts } from "../../proto/values/https-url.ts";

/** Whom the request believes: the holder of this root's certificates, or, for what is checked by other means, anyone. */
type HttpsTrust = { readonly root: string; readonly trustDomain: string } | "anyone";

export interface HttpsAsk {
  readonly url: HttpsUrl;
  readonly path: string;
  readonly trust: HttpsTrust;
  /** Our own certificate and key, PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** `user:password`. */
  readonly basic?: string;
  /** Makes it a POST of PKCS#10. */
  readonly body?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

const ANSWER_LIMIT = 262_144;

/** The body of a 200 answer; anything else is an HpsError. Redirects are not followed. */
export async function askHttps(ask: HttpsAsk): Promise<Buffer> {
  const { host, port } = httpsUrlParts(ask.url);
  const limit = AbortSignal.timeout(ask.timeoutMs);
  const signal = ask.signal === undefined ? limit : AbortSignal.any([ask.signal, limit]);
  const options: RequestOptions = {
    host,
    port,
    path: ask.path,
    method: ask.body === undefined ? "GET" : "POST",
    minVersion: "TLSv1.3",
    agent: false,
    signal,
    headers: { accept: "application/json", ...(ask.body !== undefined && { "content-type": "application/pkcs10" }) },
    ...trustOptions(ask.trust, host),
    ...ask.tls,
    ...(ask.basic !== undefined && { auth: ask.basic }),
  };
  try {
    const { status, body } = await exchange(options, ask.body ?? "");
    if (status !== 200) throw refusal(ask.url, status, body);
    return body;
  } catch (cause) {
    if (cause instanceof HpsError) throw cause;
    if (ask.signal?.aborted) throw new HpsError("cancelled", "interrupted", { cause });
    const why = limit.aborted ? "no answer in time" : reasonOf(cause);
    throw new HpsError("unavailable", `cannot reach ${ask.url}: ${why}`, { cause });
  }
}

function trustOptions(trust: HttpsTrust, host: string): RequestOptions {
  if (trust === "anyone") return { rejectUnauthorized: false };
  const check = serverIdentityCheck(trust.trustDomain);
  return {
    ca: trust.root,
    rejectUnauthorized: true,
    checkServerIdentity: (_servername, certificate) => check(host, certificate),
  };
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

function exchange(options: RequestOptions, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > ANSWER_LIMIT) response.destroy(new HpsError("data-loss", "the answer is too long"));
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const CODES = Object.keys(ERROR_TABLE).filter((code): code is ErrorCode => Object.hasOwn(ERROR_TABLE, code));

const errorSchema = z.object({
  code: z.enum(CODES),
  message: z.string(),
  hint: z.string().default(""),
  details: z.record(z.string(), z.string()).default({}),
});

/** The server's own error when it sends one, as JSON; else what the status stands for. */
function refusal(url: HttpsUrl, status: number, body: Buffer): HpsError {
  const said = errorSchema.safeParse(jsonOf(body));
  if (!said.success) {
    const meant = CODES.find((candidate) => ERROR_TABLE[candidate].http === status) ?? "unavailable";
    return new HpsError(meant, `${url} refused: it answered with status ${status}`);
  }
  const { code, message, hint, details } = said.data;
  return new HpsError(code, `${url} refused: ${message}`, { hint, details });
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function reasonOf(cause: unknown): string {
  const code: unknown = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ECONNREFUSED") return "connection refused";
  if (code === "ECONNRESET" || code === "EPROTO")
    return "what listens there did not speak HTTPS with us; hpsd's HTTPS port is 7444 unless set";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "the name is not known";
  if (typeof code === "string" && /SELF_SIGNED|UNABLE_TO|CERT_SIGNATURE/.test(code)) {
    return "its certificate is not signed by the root we trust";
  }
  if (typeof code === "string" && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)) return code;
  return "the connection failed";
}
