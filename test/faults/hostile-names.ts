/** Names and links that mean something to somebody, but nothing to a tree. */
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";

/** As bytes, one for each character. */
const NAMES: readonly string[] = [
  ...["\n", "a\nb", "\t", " ", "a b", " a", "a ", "\r", "\x7f", "\x1b[2J", "\x01\x02\x03", "\b"],
  ...[
    "-rf",
    "--",
    "-",
    "*",
    "?",
    "[a]",
    "~",
    "$(touch x)",
    "`x`",
    "'",
    '"',
    "\\",
    "\\n",
    ";",
    "|",
    "#",
    "%00",
    "%2e%2e",
  ],
  ...[
    "...",
    ".. ",
    "..\\..",
    ".hidden",
    "C:",
    "con",
    "nul",
    "a:b",
    "lost+found",
    "incoming-1",
    ".wh.file",
    ".wh..wh..opq",
  ],
  ...["__proto__", "constructor", "toString", "undefined", "null", "0", "-1", "1e9", "HPSIMG", "trusted.hps.unpacking"],
  // No UTF-8, a slash that is too long, half a character of UTF-16, what turns the line round, é in two ways.
  ...["\xff\xfe", "\x80", "\xc0\xaf", "\xed\xa0\x80", "\xe2\x80\xae", "\xc3\xa9", "e\xcc\x81", "\xef\xbb\xbf"],
  ...["x".repeat(255), "\xff".repeat(255), `${"y".repeat(254)}\n`],
];

const TARGETS: readonly string[] = [
  ...[
    "/",
    "..",
    ".",
    "../../../../../../etc/passwd",
    "/etc/shadow",
    "//",
    "/proc/self/root",
    "self",
    "\n",
    "\xff\xfe",
    " ",
  ],
  ...["x".repeat(4095), `${"../".repeat(1300)}etc/passwd`, "a\x01b"],
];
/** Of folders in each other, with names that make a path almost as long as one may be. */
const DEPTH = 100;
const LONG = "d".repeat(38);

/** Makes below `root` files, folders, links and second names of all of them. */
export function makeHostileNames(root: string): void {
  const at = (...parts: readonly string[]) => Buffer.from([root, ...parts].join("/"), "latin1");
  for (const folder of ["files", "folders", "links", "second", "targets"]) mkdirSync(at(folder), { recursive: true });
  for (const [number, name] of NAMES.entries()) {
    writeFileSync(at("files", name), number % 3 === 0 ? "" : `content ${number}`);
    mkdirSync(at("folders", name));
    writeFileSync(at("folders", name, NAMES[(number * 7) % NAMES.length] ?? ""), "below");
    symlinkSync(Buffer.from(`../files/${name}`, "latin1"), at("links", name));
    linkSync(at("files", name), at("second", name));
  }
  for (const [number, target] of TARGETS.entries()) {
    symlinkSync(Buffer.from(target, "latin1"), at("targets", `${number}`));
    linkSync(at("targets", `${number}`), at("targets", `${number} again`));
  }
  // Where something of the image leads out of it, and something else has its name and more.
  symlinkSync("/tmp", at("out"));
  mkdirSync(at("out.d"));
  symlinkSync("self", at("targets", "self"));
  const deep = Array.from({ length: DEPTH }, () => LONG);
  mkdirSync(at(...deep), { recursive: true });
  writeFileSync(at(...deep, "the last"), "deep");
}
