import { defineConfig } from "vitest/config";
import { CountReporter } from "./runner/count-reporter.ts";

export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  test: {
    reporters: ["default", new CountReporter()],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [
            "{proto,certs,server,client,installer-agent}/**/*.test.ts",
            "test/*.test.ts",
            "test/{architecture,access}/*.test.ts",
            "test/lab/**/*.test.ts",
          ],
          testTimeout: 20_000,
          globalSetup: ["test/runner/temporary-folder.ts"],
          setupFiles: ["test/runner/keep-stores.ts"],
          // Files of one process share its modules: loading them anew took longer than most tests.
          isolate: false,
          maxWorkers: "100%",
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/{e2e,faults}/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
