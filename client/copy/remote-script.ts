/**
 * What runs on the host: POSIX sh, tar and mv, which the installer's busybox and every Debian have. Nothing of a path is
 * ever part of the script: paths are its arguments.
 */
import { randomBytes } from "node:crypto";
import { type ErrorCode, HpsError } from "../../proto/values/hps-error.ts";

/** Exit codes of the scripts' own, above those of tar. */
const MISSING = 60;
/** It is a folder, and folders were not asked for. */
export const NEEDS_RECURSION = 61;
const SPECIAL = 62;
const NO_PARENT = 63;
const NO_FOLDER = 64;
const IS_FOLDER = 65;
const NO_TAR = 66;

const CHECK_TAR = `command -v tar >/dev/null || exit ${NO_TAR}`;

/** Who is interrupted is often hung up on as well: the second signal would end what clears away for the first. */
const DEAF = `trap "" HUP INT PIPE TERM`;

/**
 * Arguments: destination, its parent, name of the one file, what comes (`file`, `folder`, `many`), tar's options, a name that
 * nothing has, for the folder in which the one file is made. Answers one line
 * when it is ready: `file`, `into` (an existing folder) or `as` (one of that name was made). A single file appears whole or not at all.
 * Without -p (`-m` is there) folders that are there keep their modes, which each tar has its own way for: a copy into / is not to
 * close it.
 */
const RECEIVE = `
${CHECK_TAR}
hidden=$6
put_file() {
  if [ -d "$1" ]; then exit ${IS_FOLDER}; fi
  if [ -e "$1" ] && [ ! -f "$1" ]; then exit ${SPECIAL}; fi
  t=$2/$hidden
  trap '${DEAF}; rm -rf "$t"' EXIT
  trap '${DEAF}; exit 129' HUP
  trap '${DEAF}; exit 130' INT
  trap '${DEAF}; exit 141' PIPE
  trap '${DEAF}; exit 143' TERM
  mkdir -m 700 "$t" || exit 1
  echo file
  (umask 0; cd "$t" && tar -x -o $4 -f -) && mv -f "$t/$3" "$1"
  exit
}
if [ "$4" = file ]; then
  if [ -d "$1" ]; then put_file "$1/$3" "$1" "$3" "$5"; fi
  [ -d "$2" ] || exit ${NO_PARENT}
  put_file "$1" "$2" "$3" "$5"
fi
answer=into
if [ ! -d "$1" ]; then
  if [ "$4" = many ] || [ -e "$1" ] || [ -L "$1" ]; then exit ${NO_FOLDER}; fi
  [ -d "$2" ] || exit ${NO_PARENT}
  mkdir "$1" || exit 1
  answer=as
fi
cd "$1" || exit 1
keep=
if [ "$5" = -m ]; then
  case $(tar --version 2>/dev/null) in
    *GNU*) keep=--no-overwrite-dir ;;
    *) keep=--no-same-permissions ;;
  esac
fi
echo "$answer"
umask 0
exec tar -x -o $keep $5 -f -
`;

/** Arguments: path, its parent, its last name, `-r` or nothing. The archive holds the one file, or the folder as `.`. */
const SEND = `
${CHECK_TAR}
if [ -d "$1" ]; then
  [ "$4" = -r ] || exit ${NEEDS_RECURSION}
  cd "$1" || exit 1
  exec tar -c -f - .
fi
if [ -f "$1" ]; then
  cd "$2" || exit 1
  exec tar -c -h -f - "./$3"
fi
if [ -e "$1" ] || [ -L "$1" ]; then exit ${SPECIAL}; fi
exit ${MISSING}
`;

const NAME = "hpsctl-cp";

export type Incoming = "file" | "folder" | "many";

export interface ReceiveOrder {
  readonly path: string;
  readonly parent: string;
  readonly name: string;
  readonly what: Incoming;
  readonly keepTimes: boolean;
}

/** Unpacks what comes on its standard input. */
export function receiveCommand({ path, parent, name, what, keepTimes }: ReceiveOrder): string[] {
  const hidden = `.${NAME}.${randomBytes(6).toString("hex")}`;
  return ["/bin/sh", "-c", RECEIVE, NAME, path, parent, name, what, keepTimes ? "" : "-m", hidden];
}

/** Writes an archive of the path on its standard output. */
export function sendCommand(path: string, parent: string, name: string, recursive: boolean): string[] {
  return ["/bin/sh", "-c", SEND, NAME, path, parent, name, recursive ? "-r" : ""];
}

/**
 * `copy to /etc/hosts`, for a command that is one of those above, to the letter; undefined for any other: an argument that none of
 * those has may be an option of tar, which runs what it is told.
 */
export function copyText([shell, option, script, name, path = "", ...rest]: readonly string[]): string | undefined {
  if (shell !== "/bin/sh" || option !== "-c" || name !== NAME) return undefined;
  if (script === RECEIVE) return isReceiving(rest) ? `copy to ${path}` : undefined;
  return script === SEND ? `copy of ${path}` : undefined;
}

function isReceiving([, , what = "", times = "?", hidden = "", ...more]: readonly string[]): boolean {
  const isKnown = ["file", "folder", "many"].includes(what) && ["", "-m"].includes(times);
  return isKnown && more.length === 0 && /^\.hpsctl-cp\.[0-9a-f]{12}$/.test(hidden);
}

interface Meaning {
  readonly code: ErrorCode;
  readonly says: string;
  readonly hint?: string;
}

const MEANINGS: ReadonlyMap<number, Meaning> = new Map([
  [MISSING, { code: "not-found", says: "is not there" }],
  [NEEDS_RECURSION, { code: "precondition", says: "is a folder", hint: "add -r" }],
  [
    SPECIAL,
    {
      code: "precondition",
      says: "is neither a file nor a folder",
      hint: "for a device: hpsctl installer-shell HOST -- dd …",
    },
  ],
  [NO_PARENT, { code: "not-found", says: "lies in no folder that is there", hint: "make the folder first" }],
  [NO_FOLDER, { code: "precondition", says: "is no folder, and only a folder can take this" }],
  [IS_FOLDER, { code: "exists", says: "is a folder, and a file is to have its place" }],
  [NO_TAR, { code: "unimplemented", says: "cannot be reached by a copy: the host has no tar" }],
]);

/** What a script's exit code says of `where`; `said` is what was on its standard error. */
export function scriptError(code: number, where: string, said: string): HpsError {
  const {
    code: kind,
    says,
    hint = "",
  } = MEANINGS.get(code) ?? {
    code: "aborted",
    says: `was not copied whole: the host's tar ended with ${code}`,
  };
  return new HpsError(kind, `${where} ${says}${said === "" ? "" : `: ${said}`}`, { hint });
}
