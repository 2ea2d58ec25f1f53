import type { AnswerForm } from "./answer-form.ts";
import { htmlText } from "./html-text.ts";
import { refusalScript } from "./ipxe-script.ts";

export interface Refusal {
  /** The HTTP status that is true. */
  readonly status: number;
  /** One sentence that the asker may see. */
  readonly reason: string;
  /** The id of its audit event. */
  readonly incident: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * One refusal in the asker's form: the same reason and incident in each. iPXE gets a script with status 200, for it drops the
 * body of an error; but not in the place of what it would load and not run (`loaded`): a script is no kernel and no claim.
 */
export function renderRefusal(refusal: Refusal, form: AnswerForm, loaded = false): Answer {
  const { type, body } = bodyIn(form, refusal);
  return {
    status: form === "ipxe" && !loaded ? 200 : refusal.status,
    headers: {
      "content-type": type,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...(form === "html" ? { "content-security-policy": "default-src 'none'; frame-ancestors 'none'" } : {}),
    },
    body,
  };
}

function bodyIn(form: AnswerForm, { status, reason, incident }: Refusal): { type: string; body: string } {
  switch (form) {
    case "ipxe":
      return { type: "text/plain; charset=utf-8", body: refusalScript({ reason, incident }) };
    case "json":
      return { type: "application/json; charset=utf-8", body: `${JSON.stringify({ status, reason, incident })}\n` };
    case "html":
      return { type: "text/html; charset=utf-8", body: page(htmlText(reason), htmlText(incident)) };
    case "text":
      return {
        type: "text/plain; charset=utf-8",
        body: `refused: ${oneLine(reason)}\nincident: ${oneLine(incident)}\n`,
      };
  }
}

function page(reason: string, incident: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Refused</title></head>
<body><h1>Refused</h1><p>${reason}</p><p>Incident <code>${incident}</code></p></body></html>
`;
}

/** Plain text ends up on terminals: no control of theirs passes, and one field stays one line. */
function oneLine(text: string): string {
  return text.toWellFormed().replaceAll(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, "\ufffd");
}
