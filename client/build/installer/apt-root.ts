import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { quote } from "../../../proto/values/safe-text.ts";
import { type ProgramPlace, runProgram } from "./run-program.ts";

export interface AptRootOptions {
  /** Kept from build to build. */
  readonly folder: string;
  /** Sources in the format of `NAME.sources` (deb822). */
  readonly sources: string;
  readonly place: ProgramPlace;
  readonly note: (line: string) => void;
}

/** One package as the archive has it. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** SHA-256 in hexadecimal. */
  readonly sha256: string;
}

const FRESH_MS = 60 * 60_000;
const ARCHITECTURE = "amd64";

/** apt with lists and a state of its own: knows nothing of what is installed here, changes nothing of it, and needs no root. */
export class AptRoot {
  readonly #options: AptRootOptions;

  private constructor(options: AptRootOptions) {
    this.#options = options;
  }

  /** Makes the folder and brings the lists when they are older than an hour; old ones do where the archive cannot be reached. */
  static async open(options: AptRootOptions): Promise<AptRoot> {
    const root = new AptRoot(options);
    const { folder, sources } = options;
    for (const path of ["lists/partial", "archives/partial"]) await mkdir(join(folder, path), { recursive: true });
    await writeFile(join(folder, "hps.sources"), sources);
    await writeFile(join(folder, "status"), "");
    await writeFile(join(folder, "apt.conf"), configurationOf(folder));
    return root;
  }

  /** Brings the lists of packages unless they are fresh. */
  async update(): Promise<void> {
    const { folder, note } = this.#options;
    const lists = join(folder, "lists");
    const times = await Promise.all(
      (await readdir(lists)).filter((name) => name.includes("Packages")).map((name) => stat(join(lists, name))),
    );
    if (times.length > 0 && Date.now() - (await stat(lists)).mtimeMs < FRESH_MS) return;
    try {
      await this.#run("apt-get", ["-qq", "--error-on=any", "update"]);
    } catch (error) {
      if (times.length === 0 || !(error instanceof HpsError)) throw error;
      note(`the package lists could not be brought up to date, going on with those at hand: ${error.message}`);
    }
  }

  /** The named packages and all they depend on. */
  async closure(names: readonly string[]): Promise<readonly DebianPackage[]> {
    return this.#uris("install", ["--yes", "--no-install-recommends", ...names]);
  }

  /** The named packages alone; a name may be `NAME=VERSION`. */
  async exactly(names: readonly string[]): Promise<readonly DebianPackage[]> {
    return names.length === 0 ? [] : this.#uris("download", names);
  }

  /** What the newest version of a package says in one field. */
  async field(name: string, field: string): Promise<string> {
    const text = (await this.#run("apt-cache", ["show", "--no-all-versions", name])).toString();
    return new RegExp(`^${field}: (.*)$`, "m").exec(text)?.[1] ?? "";
  }

  /** Puts the files of exactly these packages into `into`; apt checks them against the archive's signed lists. */
  async download(packages: readonly DebianPackage[], into: string): Promise<void> {
    const names = packages.map(({ name, version, architecture }) => `${name}:${architecture}=${version}`);
    await this.#run("apt-get", ["-qq", "download", ...names], into);
  }

  async #uris(verb: string, args: readonly string[]): Promise<readonly DebianPackage[]> {
    const text = await this.#run("apt-get", ["-qq", "--print-uris", "-o", "Acquire::ForceHash=SHA256", verb, ...args]);
    return text
      .toString()
      .split("\n")
      .filter((line) => line !== "")
      .map(packageOf);
  }

  #run(program: string, args: readonly string[], cwd?: string): Promise<Buffer> {
    const { folder, place } = this.#options;
    const environment = { ...place.environment, APT_CONFIG: join(folder, "apt.conf") };
    return runProgram([program, ...args], { ...place, environment, ...(cwd !== undefined && { cwd }) });
  }
}

/** Read after the machine's own settings, which may name a proxy. */
function configurationOf(folder: string): string {
  const settings = {
    "APT::Architecture": ARCHITECTURE,
    "APT::Architectures": ARCHITECTURE,
    "APT::Sandbox::User": "",
    "Acquire::Languages": "none",
    "Dir::Cache": folder,
    "Dir::Cache::archives": join(folder, "archives"),
    "Dir::Etc::sourcelist": join(folder, "hps.sources"),
    "Dir::Etc::sourceparts": "-",
    "Dir::State": folder,
    "Dir::State::lists": join(folder, "lists"),
    "Dir::State::status": join(folder, "status"),
  };
  const cleared = [
    "APT::Architectures",
    "APT::Update::Pre-Invoke",
    "APT::Update::Post-Invoke",
    "APT::Update::Post-Invoke-Success",
  ];
  const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";`);
  return `${cleared.map((name) => `#clear ${name};`).join("\n")}\n${lines.join("\n")}\n`;
}

const URI_LINE = /^'[^']+' (?<file>\S+_\S+_\S+\.deb) \d+ SHA256:(?<sha256>[0-9a-f]{64})$/;

/** `'URI' NAME_VERSION_ARCHITECTURE.deb SIZE SHA256:…` */
function packageOf(line: string): DebianPackage {
  const { file = "", sha256 = "" } = URI_LINE.exec(line)?.groups ?? {};
  const [name = "", version = "", architecture = ""] = decodeURIComponent(file)
    .replace(/\.deb$/, "")
    .split("_");
  if (sha256 === "") throw new HpsError("internal", `apt named a package in an unknown way: ${quote(line, 300)}`);
  return { name, version, architecture, sha256 };
}
