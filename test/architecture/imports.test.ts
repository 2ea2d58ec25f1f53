import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { allSources, isIn, isTest, ROOT, type Source } from "./source.ts";

/** Files in `of` import none of `not`, but for those in `except`. */
interface Ban {
  readonly of: readonly string[];
  readonly not: readonly string[];
  readonly except?: readonly string[];
  readonly because: string;
}

const PROGRAMS = ["server", "client", "installer-agent"];

const BANS: readonly Ban[] = [
  ...PROGRAMS.map((program) => ({
    of: [program],
    not: PROGRAMS.filter((other) => other !== program),
    because:
      "the programs run on different machines and in different versions: what they share is the contract, in proto",
  })),
  {
    of: ["proto"],
    not: [...PROGRAMS, "certs"],
    because: "proto is what the programs agree on; it cannot depend on one of them",
  },
  {
    of: ["certs"],
    not: [...PROGRAMS, "proto/rpc", "proto/config", "proto/gen"],
    because:
      "a certificate authority needs values and errors and nothing else, so that it can be read and trusted alone",
  },
  {
    of: ["server/store"],
    not: ["server/core", "server/services", "server/boot", "server/rpc", "server/http"],
    because: "data flows one way: store <- core <- doors <- main",
  },
  {
    of: ["server/core"],
    not: ["server/services", "server/boot", "server/rpc", "server/http", "proto/rpc"],
    because: "the domain knows neither wire nor programs, so that every door obeys the same rules",
  },
  ...["server/services", "server/boot", "server/rpc", "server/http"].map((door, _, doors) => ({
    of: [door],
    not: [...doors.filter((other) => other !== door), "server/store"],
    because: "a door talks to the core alone: through another door or the database it would pass the gate by",
  })),
  {
    of: ["server/http/web"],
    not: ["server/core", "server/store", "server/commands", "proto", "certs"],
    because: "it runs in browsers: what it shares with hpsd is the messages between them, which stand in its folder",
  },
];

/** Only files in `only` (and tests) import the package. */
const KEEPERS: readonly {
  readonly packages: readonly string[];
  readonly only: readonly string[];
  readonly because: string;
}[] = [
  { packages: ["@grpc/grpc-js"], only: ["proto/rpc"], because: "its traps are handled in one place" },
  { packages: ["kysely", "better-sqlite3"], only: ["server/store"], because: "nothing else knows the database" },
  { packages: ["node-pty"], only: ["installer-agent/shell"], because: "a terminal lives in the agent" },
  { packages: ["ws"], only: ["server/http"], because: "WebSockets have one door, which bounds what they hold" },
  {
    packages: ["@xterm/headless", "@xterm/addon-serialize"],
    only: ["server/core/shells"],
    because: "screens are rebuilt there",
  },
  { packages: ["@xterm/xterm", "@xterm/addon-fit"], only: ["server/http/web"], because: "hpsd draws no terminal" },
  { packages: ["fastify", "@fastify/rate-limit"], only: ["server/http"], because: "HTTPS has one door" },
  {
    packages: ["node:child_process"],
    only: ["installer-agent/system", "server/services", "client/build", "client/signing"],
    because: "programs are started where their limits and their output are looked after",
  },
];

const sources = allSources();

function offences(ban: Ban): string[] {
  const banned = (file: string) =>
    ban.not.some((place) => isIn(file, place)) && !ban.except?.some((place) => isIn(file, place));
  return sources
    .filter((source) => ban.of.some((place) => isIn(source.path, place)) && !isTest(source.path))
    .flatMap((source) => source.files.filter(banned).map((file) => `${source.path} imports ${file}: ${ban.because}`));
}

describe("who may import whom", () => {
  test.each(BANS)("$of never imports $not", (ban) => {
    expect(offences(ban)).toEqual([]);
  });

  test("every ban names a place that exists", () => {
    const places = [
      ...BANS.flatMap((ban) => [...ban.of, ...ban.not, ...(ban.except ?? [])]),
      ...KEEPERS.flatMap((keeper) => keeper.only),
    ];
    expect(places.filter((place) => !existsSync(join(ROOT, place)))).toEqual([]);
  });

  test("a ban is broken by the import it forbids", () => {
    const broken: Source = { path: "certs/x.ts", text: "", files: ["server/main.ts"], packages: [] };
    expect(
      BANS.filter(
        (ban) =>
          ban.of.some((place) => isIn(broken.path, place)) && ban.not.some((place) => isIn("server/main.ts", place)),
      ),
    ).not.toEqual([]);
  });

  test.each(KEEPERS)("$packages only in $only", ({ packages, only, because }) => {
    const offenders = sources
      .filter((source) => !isTest(source.path) && !only.some((place) => isIn(source.path, place)))
      .filter((source) => source.packages.some((name) => packages.includes(name)));
    expect(offenders.map((source) => `${source.path}: ${because}`)).toEqual([]);
  });

  test("every relative import ends in .ts and leads to a file", () => {
    const lost = sources.flatMap((source) =>
      source.files.filter((file) => !existsSync(join(ROOT, file))).map((file) => `${source.path} -> ${file}`),
    );
    expect(lost).toEqual([]);
  });
});
