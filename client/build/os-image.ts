/** Builds a Debian image: mmdebstrap's archive, compressed, in one file. */
import { copyFile, mkdir, mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Environment } from "../../proto/config/overrides.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { roundSize } from "../../proto/values/size.ts";
import { aptOptionsFrom, aptSourcesFor } from "./apt-sources.ts";
import { runBuildProgram } from "./build-program.ts";
import { readAptConfiguration, readSourceFiles } from "./host-apt.ts";
import { beginImage, type WrittenImage } from "./image-file.ts";
import { buildFailure } from "./os-image-failure.ts";
import type { OsImageOrder } from "./os-image-order.ts";
import { mmdebstrapArguments, type OsImagePlaces } from "./os-image-plan.ts";
import { makeOverlay } from "./overlay.ts";
import { cacheFolder, keepPackages, packageFolder } from "./package-cache.ts";

export interface OsImageBuild {
  readonly order: OsImageOrder;
  /** Of this process: TMPDIR, SOURCE_DATE_EPOCH, proxies and the cache folder count. */
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** Hears each line the build prints. */
  readonly onLine: (line: string) => void;
  /** Takes the image, a plain tar archive, while it is made. */
  readonly take: (archive: Readable) => Promise<void>;
}

export interface OsImageFile extends Omit<OsImageBuild, "take"> {
  /** Where the image goes: a `.tar.zst`, replaced when it is there. */
  readonly out: string;
}

/** Less than this free, a build of the default packages does not end well. */
const SPACE = 1.5 * 1024 ** 3;

/** Resolves when the image lies at `out`, whole and synced. */
export async function writeOsImage({ out, ...build }: OsImageFile): Promise<WrittenImage> {
  let written: WrittenImage | undefined;
  await using file = await beginImage(out);
  const take = async (archive: Readable) => {
    written = await file.write(archive);
  };
  await buildOsImage({ ...build, take });
  if (written === undefined) throw new HpsError("internal", "mmdebstrap gave no image");
  await file.keep();
  return written;
}

/** Resolves when `take` has the whole image and its build went well. Whatever else it made is gone afterwards, but for the packages it keeps. */
export async function buildOsImage(build: OsImageBuild): Promise<void> {
  const { order, environment, signal } = build;
  await refuseWithoutSpace(environment.TMPDIR || "/tmp");
  const cache = cacheFolder(environment);
  const packages = await packageFolder(cache);
  const work = await mkdtemp(join(cache, "build-"));
  try {
    const places = await prepare(build, packages, work);
    const apt = aptOptionsFrom(await readAptConfiguration(signal));
    try {
      await bootstrap(build, mmdebstrapArguments(order, places, apt));
    } finally {
      await keepPackages(packages, places.used, build.now());
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function refuseWithoutSpace(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder).catch((cause: unknown) => {
    throw new HpsError("invalid", `the folder for temporary files is not there: ${folder}`, {
      hint: "set TMPDIR",
      cause,
    });
  });
  const free = bavail * bsize;
  if (free >= SPACE) return;
  throw new HpsError(
    "exhausted",
    `${folder} has ${roundSize(free)} free; building an image needs ${roundSize(SPACE)}`,
    {
      hint: "free some, or name a larger folder by TMPDIR",
    },
  );
}

async function prepare({ order, signal }: OsImageBuild, packages: string, work: string): Promise<OsImagePlaces> {
  const used = join(work, "used");
  await mkdir(used);
  const sources = join(work, "archive.sources");
  await writeFile(sources, aptSourcesFor(order.suite, await readSourceFiles(), order.mirror));
  const overlay = await makeOverlay(order, work, signal);
  const scripts = order.scripts.map((_, index) => join(work, `script-${index}`));
  for (const [index, from] of order.scripts.entries()) {
    await copyFile(from, scripts[index] ?? "").catch((cause: unknown) => {
      throw new HpsError("invalid", `cannot read the script ${from}`, { cause });
    });
  }
  return { packages, used, sources, scripts, ...(overlay !== undefined && { overlay }) };
}

async function bootstrap(build: OsImageBuild, args: readonly string[]): Promise<void> {
  const { environment, signal, onLine, take } = build;
  await runBuildProgram({
    argv: ["mmdebstrap", ...args],
    environment: { ...environment, LC_ALL: "C.UTF-8", INITRD: "No" },
    signal,
    onLine,
    output: take,
    failure: buildFailure,
    package: "mmdebstrap",
  });
}
