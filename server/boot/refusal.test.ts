import fc from "fast-check";
import { expect, test } from "vitest";
import { ANY_CHARACTER } from "../../proto/values/testing/any-character.ts";
import { type AnswerForm, answerForm } from "./answer-form.ts";
import { htmlText } from "./html-text.ts";
import { renderRefusal } from "./refusal.ts";

const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

test.each<[string | undefined, string | undefined, AnswerForm]>([
  ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", FIREFOX, "html"],
  ["*/*", "curl/7.88.1", "json"],
  ["*/*", "Wget/1.21.3", "json"],
  ["text/html", "curl/7.88.1", "html"],
  ["application/json", FIREFOX, "json"],
  ["text/plain;q=0.5, application/json;q=0.9", "x", "json"],
  ["application/json;q=0, text/plain", "curl/8", "text"],
  ["text/html;q=nonsense, */*", "curl/8", "json"],
  ["image/png", "something/1", "text"],
  [undefined, "iPXE/1.0.0+git-20190125.36a4c85-5.1", "ipxe"],
  ["*/*", "iPXE/1.21.1", "ipxe"],
  [undefined, FIREFOX, "html"],
  [undefined, undefined, "text"],
  ["__proto__, constructor", "toString", "text"],
])("accept %s from %s: %s", (accept, userAgent, form) => {
  expect(answerForm({ accept, userAgent })).toBe(form);
});

test("any headers have a form", () => {
  fc.assert(
    fc.property(fc.string({ unit: ANY_CHARACTER }), fc.string({ unit: ANY_CHARACTER }), (accept, userAgent) => {
      expect(["ipxe", "html", "json", "text"]).toContain(answerForm({ accept, userAgent }));
    }),
  );
});

test("each form bears the same reason and incident, with the true status but to iPXE", () => {
  const refusal = { status: 403, reason: "the MAC address is not the sender's", incident: "0190-8" };
  for (const form of ["ipxe", "html", "json", "text"] as const) {
    const answer = renderRefusal(refusal, form);
    expect(answer.status).toBe(form === "ipxe" ? 200 : 403);
    expect(answer.body).toContain("0190-8");
    expect(answer.headers).toMatchObject({ "cache-control": "no-store", "x-content-type-options": "nosniff" });
  }
  expect(JSON.parse(renderRefusal(refusal, "json").body)).toEqual(refusal);
  expect(renderRefusal(refusal, "html").body).toContain("<p>the MAC address is not the sender&#39;s</p>");
  expect(renderRefusal(refusal, "text").body).toBe("refused: the MAC address is not the sender's\nincident: 0190-8\n");
});

test("iPXE is not given a script with status 200 for something it loads", () => {
  const refusal = { status: 403, reason: "the claim was fetched before", incident: "0190-8" };
  expect(renderRefusal(refusal, "ipxe", true).status).toBe(403);
});

const hostile = fc.oneof(
  fc.string({ unit: ANY_CHARACTER }),
  fc.string({ unit: fc.constantFrom(..."<>&\"'/a=\n\u0000\u001b\u009b\u202e") }),
);

test("nothing of a value is markup, and all of it that may be shown is", () => {
  const back = (text: string) =>
    text
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">")
      .replaceAll("&quot;", '"')
      .replaceAll("&#39;", "'")
      .replaceAll("&amp;", "&");
  fc.assert(
    fc.property(hostile, (value) => {
      const text = htmlText(value);
      expect(text).not.toMatch(/[<>"'\p{Cc}\u202a-\u202e]|&(?!(amp|lt|gt|quot|#39);)/u);
      expect(back(text)).toBe(
        value.toWellFormed().replaceAll(/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd"),
      );
    }),
    { numRuns: 1000 },
  );
});

test("a refusal keeps its shape whatever it says", () => {
  const shape = (body: string) => body.replaceAll(/[^<>\n]/g, "");
  fc.assert(
    fc.property(hostile, (value) => {
      const refusal = { status: 403, reason: value, incident: value };
      for (const form of ["html", "text"] as const) {
        expect(shape(renderRefusal(refusal, form).body).replaceAll(form === "text" ? /[<>]/g : /(?!)/g, "")).toBe(
          shape(renderRefusal({ status: 403, reason: "x", incident: "x" }, form).body),
        );
      }
      expect(JSON.parse(renderRefusal(refusal, "json").body)).toEqual(refusal);
    }),
  );
});
