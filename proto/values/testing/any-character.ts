import fc from "fast-check";

const HALVES = { first: 0xd800, count: 0x800 };
const LAST = 0x10ffff;

/**
 * The unit of texts of any code points, but halves of surrogates. fast-check's own, "binary", makes a table of all of them
 * first, which takes each process that runs tests most of a second.
 */
export const ANY_CHARACTER = fc.nat({ max: LAST - HALVES.count }).map(
  (index) => String.fromCodePoint(index < HALVES.first ? index : index + HALVES.count),
  (text) => {
    const code = typeof text === "string" ? text.codePointAt(0) : undefined;
    if (code === undefined || text !== String.fromCodePoint(code)) throw new TypeError("not one character");
    if (code < HALVES.first) return code;
    if (code < HALVES.first + HALVES.count) throw new TypeError("half a surrogate");
    return code - HALVES.count;
  },
);
