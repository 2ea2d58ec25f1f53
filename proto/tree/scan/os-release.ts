/** `PRETTY_NAME` of an os-release file (as its manual page has it: shell words); empty where it has none. */
export function prettyName(osRelease: string): string {
  const line = osRelease.split("\n").findLast((text) => /^\s*PRETTY_NAME=/.test(text));
  return line === undefined ? "" : unquoted(line.slice(line.indexOf("=") + 1).trim());
}

function unquoted(word: string): string {
  if (/^'[^']*'$/.test(word)) return word.slice(1, -1);
  const inner = /^"(.*)"$/.exec(word)?.[1] ?? word;
  return inner.replace(/\\(["$`\\])/g, "$1");
}
