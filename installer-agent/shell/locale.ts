import type { ShellEnvironment } from "../../proto/values/shell-environment.ts";
import { runTool } from "../system/tool.ts";

/** In every C library, without a file. */
const BUILT_IN: ReadonlySet<string> = new Set(["C", "POSIX", "C.utf8"]);
const LIMIT_MS = 3_000;

/** The names of this machine's locales, as `locale -a` says them; none where that program is not. */
async function localesHere(): Promise<readonly string[]> {
  const options = { signal: new AbortController().signal, log: () => undefined, limitMs: LIMIT_MS, quiet: true };
  const text = await runTool(["locale", "-a"], options).catch(() => "");
  return text.split("\n");
}

/** What is wished as far as this machine has it: a locale that it lacks would have each program complain. `here` is for tests. */
export async function knownLocales(
  wished: ShellEnvironment,
  here: () => Promise<readonly string[]> = localesHere,
): Promise<ShellEnvironment> {
  const entries = Object.entries(wished);
  const isAsked = entries.some(([name, value]) => isLocale(name) && !BUILT_IN.has(canonical(value)));
  const known = new Set([...BUILT_IN, ...(isAsked ? await here() : []).map(canonical)]);
  return Object.fromEntries(entries.filter(([name, value]) => !isLocale(name) || known.has(canonical(value))));
}

function isLocale(name: string): boolean {
  return name === "LANG" || name.startsWith("LC_");
}

/** `de_CH.UTF-8@euro` is written `de_CH.utf8@euro` as well. */
function canonical(locale: string): string {
  return locale.replace(/\.([^@]*)/, (_, codeset: string) => `.${codeset.toLowerCase().replace(/[^a-z0-9]/g, "")}`);
}
