/** In what form an answer is written. */
export type AnswerForm = "ipxe" | "html" | "json" | "text";

/** The two request headers that decide, as they came. */
export interface FormFacts {
  readonly accept?: string | undefined;
  readonly userAgent?: string | undefined;
}

const TYPES: Readonly<Record<string, AnswerForm>> = {
  "text/html": "html",
  "application/xhtml+xml": "html",
  "application/json": "json",
  "text/plain": "text",
};
const HEADER_LIMIT = 1024;

/** `Accept` decides where it names a type we have; else who asks: iPXE a script, browsers HTML, curl and wget JSON, the rest plain text. */
export function answerForm({ accept, userAgent }: FormFacts): AnswerForm {
  return formAccepted((accept ?? "").slice(0, HEADER_LIMIT)) ?? formOfAgent((userAgent ?? "").slice(0, HEADER_LIMIT));
}

/** The named type with the highest weight (RFC 9110, 12.5.1), the first of equals; wildcards name nothing. */
function formAccepted(accept: string): AnswerForm | undefined {
  const named = accept.split(",").flatMap((part) => {
    const [type = "", ...parameters] = part.split(";").map((piece) => piece.trim().toLowerCase());
    const form = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
    const weight = weightOf(parameters);
    return form === undefined || weight === 0 ? [] : [{ form, weight }];
  });
  return named.toSorted((left, right) => right.weight - left.weight)[0]?.form;
}

function weightOf(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
  if (given === undefined) return 1;
  return /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(given) ? Number(given) : 0;
}

function formOfAgent(agent: string): AnswerForm {
  if (/^iPXE\//.test(agent)) return "ipxe";
  if (/^Mozilla\//.test(agent)) return "html";
  return /^(curl|Wget)\//i.test(agent) ? "json" : "text";
}
