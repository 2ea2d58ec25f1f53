import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { CountReporter } from "./runner/count-reporter.ts";
import { FaultMatrix } from "./runner/fault-matrix.ts";
import { LongestFirst } from "./runner/longest-first.ts";
import { MACHINE_FILES } from "./runner/machine-files.ts";

// What Node makes of a source file is kept: the programs and store threads that tests start by the hundred do not strip its types anew.
process.env.NODE_COMPILE_CACHE ??= new URL("../node_modules/.cache/node", import.meta.url).pathname;

const UNIT_FILES = [
  "{proto,certs,server,client,installer-agent}/**/*.test.ts",
  "test/*.test.ts",
  "test/{architecture,access}/*.test.ts",
  "test/{lab,runner,vectors}/**/*.test.ts",
];
const PROPERTY_SEED = "test/runner/property-seed.ts";
const SLOW_FILES = "{proto,certs,server,client,installer-agent,test}/**/*.slow.test.ts";

/** Of the projects whose files stand beside the code they test. */
const BESIDE_THE_CODE = {
  testTimeout: 60_000,
  globalSetup: ["test/runner/temporary-folder.ts"],
  setupFiles: [PROPERTY_SEED, "test/runner/keep-stores.ts"],
  // Files of one process share its modules: loading them anew took longer than most tests.
  isolate: false,
  // What these processes make of short life fills Node's usual nursery all the time: it was an eighth of their work.
  execArgv: ["--max-semi-space-size=32"],
  // More than there are processors: a good part of the tests waits, for a program or for an end of patience.
  maxWorkers: Math.ceil(availableParallelism() * 1.5),
};

export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  test: {
    // A limit, not an expectation: on a machine with other work a second is soon over.
    expect: { poll: { timeout: 10_000 } },
    sequence: { sequencer: LongestFirst },
    reporters: ["default", new CountReporter(), new FaultMatrix()],
    projects: [
      {
        extends: true,
        test: { ...BESIDE_THE_CODE, name: "unit", include: UNIT_FILES, exclude: [SLOW_FILES] },
      },
      {
        // What `npm run check` does not wait for: properties tried with programs, thousands of calls, every cell of a matrix.
        extends: true,
        test: { ...BESIDE_THE_CODE, name: "slow", include: [SLOW_FILES], testTimeout: 180_000 },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/{e2e,faults}/**/*.test.ts"],
          exclude: [MACHINE_FILES],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          // They share nothing but the processors, and a good part of each is waiting.
          maxWorkers: Math.min(availableParallelism(), 4),
          sequence: { groupOrder: 1 },
          setupFiles: [PROPERTY_SEED, "test/runner/end-with-runner.ts"],
        },
      },
      {
        extends: true,
        test: {
          name: "machines",
          include: [MACHINE_FILES],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          // Firmware, boot loaders and much of an installation use one processor of a guest's two.
          maxWorkers: Math.min(availableParallelism(), 2),
          sequence: { groupOrder: 2 }, // after the others: what has a limit by the clock is not measured beside guests
          setupFiles: [PROPERTY_SEED, "test/runner/end-with-runner.ts"],
        },
      },
      {
        // What takes too long for `npm test`: `npm run test:all` runs it too, and writes docs/fault-matrix.md.
        extends: true,
        test: {
          name: "all",
          include: ["test/all/**/*.test.ts"],
          hookTimeout: 60 * 60_000,
          fileParallelism: false,
          setupFiles: [PROPERTY_SEED, "test/runner/end-with-runner.ts"],
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
