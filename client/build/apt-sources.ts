/** Where packages come from: this machine's own apt sources, as far as they are of the suite that is built. */
import { HpsError } from "../../proto/values/hps-error.ts";

/** One file below /etc/apt: its path and what it holds. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

interface Entry {
  readonly uris: string;
  readonly suites: readonly string[];
  readonly components: string;
  readonly signedBy: string;
}

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** The sources of `suite` in the format of `NAME.sources` (deb822): the mirror's when one is named, else those of `files`. */
export function aptSourcesFor(suite: string, files: readonly SourceFile[], mirror?: string): string {
  if (mirror !== undefined) {
    return paragraph({ uris: mirror, suites: [suite], components: "main", signedBy: KEYRING });
  }
  const wanted = new Set([suite, `${suite}-updates`, `${suite}-security`, `${suite}/updates`]);
  const entries = files
    .flatMap((file) => (file.path.endsWith(".sources") ? readParagraphs(file.text) : readLines(file.text)))
    .map((entry) => ({ ...entry, suites: entry.suites.filter((name) => wanted.has(name)) }))
    .filter(({ suites }) => suites.length > 0);
  if (!entries.some(({ suites }) => suites.includes(suite))) {
    throw new HpsError("precondition", `the apt sources of this machine have no suite ${suite}`, {
      hint: `name an archive that has it: --mirror http://deb.debian.org/debian`,
    });
  }
  return entries.map(paragraph).join("\n");
}

/** The same sources with more components than they had. */
export function withComponents(sources: string, more: readonly string[]): string {
  return sources.replaceAll(/^Components: (.*)$/gm, (_, had: string) => {
    return `Components: ${[...new Set([...words(had), ...more])].join(" ")}`;
  });
}

function paragraph({ uris, suites, components, signedBy }: Entry): string {
  const key = signedBy === "" ? "" : `Signed-By: ${signedBy}\n`;
  return `Types: deb\nURIs: ${uris}\nSuites: ${suites.join(" ")}\nComponents: ${components}\n${key}`;
}

/** `NAME.sources`: paragraphs of fields, a field going on in lines that begin with a space. */
function readParagraphs(text: string): Entry[] {
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  return lines
    .join("\n")
    .split(/\n[ \t]*\n/)
    .flatMap((part) => {
      const fields = new Map<string, string>();
      for (const [, name = "", value = ""] of part.matchAll(/^([A-Za-z-]+):[ \t]*((?:.*)(?:\n[ \t]+.*)*)/gm)) {
        fields.set(name.toLowerCase(), value.trimEnd());
      }
      const field = (name: string) => fields.get(name) ?? "";
      if (!words(field("types")).includes("deb") || /^(no|false|0)$/i.test(field("enabled"))) return [];
      return [
        {
          uris: field("uris"),
          suites: words(field("suites")),
          components: words(field("components")).join(" "),
          signedBy: field("signed-by"),
        },
      ];
    });
}

/** `sources.list`: `deb [signed-by=…] URI SUITE COMPONENT…`, one a line. */
function readLines(text: string): Entry[] {
  return [...text.matchAll(/^[ \t]*deb[ \t]+(?:\[([^\]\n]*)\][ \t]*)?(\S+)[ \t]+(\S+)[ \t]*([^#\n]*)/gm)].map(
    ([, options = "", uris = "", suite = "", components = ""]) => ({
      uris,
      suites: [suite],
      components: words(components).join(" "),
      signedBy: /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1]?.replaceAll(",", " ") ?? "",
    }),
  );
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/** Of what `apt-config dump` prints, what a build on this machine needs too. */
export function aptOptionsFrom(dump: string): readonly string[] {
  return dump
    .split("\n")
    .filter((line) => /^Acquire::https?::(Proxy|Verify)|^Acquire::(Check-(Valid-Until|Date)|Retries) "/.test(line));
}
