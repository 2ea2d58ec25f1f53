import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** What of an operator's environment goes with a shell session: how text is written and which colours there are. */
export type ShellEnvironment = Readonly<Record<string, string>>;

/** Of glibc's locale(7), and what terminals say of their colours. Nothing that names a file or a program. */
const NAME = /^(LANG|LC_[A-Z]{2,20}|COLORTERM)$/;
/** `de_DE.UTF-8@euro`, `C.UTF-8`, `truecolor`. */
const VALUE = /^[A-Za-z0-9][A-Za-z0-9._@=+-]{0,63}$/;
const MOST = 16;

/** Refuses, with `invalid`, any other name and any value that is neither a locale's nor a word. */
export function parseShellEnvironment(entries: Readonly<Record<string, string>>): ShellEnvironment {
  const all = Object.entries(entries);
  if (all.length > MOST) throw new HpsError("invalid", `${all.length} variables of an environment, above ${MOST}`);
  const wrong = all.find(([name, value]) => !isShellVariable(name, value));
  if (wrong === undefined) return Object.fromEntries(all);
  const [name, value] = wrong;
  throw new HpsError("invalid", `a session takes no variable ${quote(name)} with the value ${quote(value)}`, {
    hint: "LANG, LC_* and COLORTERM go along, with values such as C.UTF-8 and truecolor",
  });
}

/** The part of a whole environment that `parseShellEnvironment` takes. */
export function shellEnvironmentOf(environment: Readonly<Record<string, string | undefined>>): ShellEnvironment {
  const fitting = Object.entries(environment).flatMap(([name, value = ""]): [string, string][] =>
    isShellVariable(name, value) ? [[name, value]] : [],
  );
  return Object.fromEntries(fitting.slice(0, MOST));
}

function isShellVariable(name: string, value: string): boolean {
  return NAME.test(name) && VALUE.test(value);
}
