import { type ErrorCode, HpsError } from "../../proto/values/hps-error.ts";

interface Known {
  readonly sign: RegExp;
  readonly code: ErrorCode;
  readonly message: (found: RegExpExecArray) => string;
  readonly hint: string;
}

/** What mmdebstrap, apt and dpkg print when they fail for a reason that an operator can do something about; the first that fits counts. */
const KNOWN: readonly Known[] = [
  {
    sign: /No space left on device|not have enough free space|enough free space/,
    code: "exhausted",
    message: () => "no space is left on the disk while building the image",
    hint: "free some, or name a larger folder for the work by TMPDIR; an image needs about 2 GiB while it is built",
  },
  {
    sign: /^E: the script (.*) failed$/m,
    code: "invalid",
    message: ([, script]) => `the script ${script} failed in the image`,
    hint: "the lines above are its output",
  },
  {
    sign: /E: Unable to locate package (\S+)|E: Package '([^']+)' has no installation candidate/,
    code: "not-found",
    message: ([, a, b]) => `the archive has no package ${a ?? b}`,
    hint: "check its name and the suite: apt-cache policy NAME",
  },
  {
    sign: /E: Version '([^']+)' for '([^']+)' was not found/,
    code: "not-found",
    message: ([, version, name]) => `the archive has no version ${version} of package ${name}`,
    hint: "apt-cache policy NAME lists what there is",
  },
  {
    sign: /does not have a Release file|^ +4\d\d {2}[A-Z]/m,
    code: "not-found",
    message: () => "the archive does not hold this suite, or not these packages any more",
    hint: "check --suite and --mirror; when the archive changed a moment ago, build again",
  },
  {
    sign: /(?:Could not resolve|Temporary failure resolving|Could not connect to|Unable to connect to|Cannot initiate the connection to|Connection failed|Network is unreachable)\s*'?([^\s']*)/,
    code: "unavailable",
    message: ([, host]) => `the archive cannot be reached${host ? `: ${host}` : ""}`,
    hint: "is there a network and a name server? apt's proxy of this machine is used; --mirror names another archive",
  },
  {
    sign: /NO_PUBKEY|is not signed|signatures couldn't be verified/,
    code: "data-loss",
    message: () => "the archive's signature cannot be verified",
    hint: "is debian-archive-keyring installed and new enough for this suite?",
  },
  {
    sign: /unable to pick chroot mode automatically|cannot use unshare mode|newuidmap|invalid mode/,
    code: "precondition",
    message: () => "this user cannot make a root file system here",
    hint: "run it as root, or give the user a range of ids: the package uidmap, and a line in /etc/subuid and /etc/subgid",
  },
];

const LAST_LINES = 5;

/** The error of a build whose program ended with `status`, from the last lines it printed. */
export function buildFailure(status: string, lines: readonly string[]): HpsError {
  const text = lines.join("\n");
  for (const { sign, code, message, hint } of KNOWN) {
    const found = sign.exec(text);
    if (found !== null) return new HpsError(code, message(found), { hint, cause: text });
  }
  const last = lines.filter((line) => line.trim() !== "").slice(-LAST_LINES);
  return new HpsError("internal", `mmdebstrap ended with ${status}: ${last.join(" / ")}`, {
    hint: "the lines above say why",
    cause: text,
  });
}
