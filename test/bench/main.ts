/** `npm run bench -- NAME [ARGUMENT...]`: runs one benchmark, prints its table and keeps it in results/NAME.json. */
import { currentCommit, describeMachine } from "./machine.ts";
import { keep, markdown, type Report } from "./report.ts";
import type { Measured } from "./row.ts";

type Benchmark = (argv: readonly string[]) => Promise<Measured>;

const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  agents: async () => (await import("./agents.ts")).agents,
  unary: async () => (await import("./unary.ts")).unary,
  image: async () => (await import("./image.ts")).image,
  install: async () => (await import("./install.ts")).install,
  shell: async () => (await import("./shell.ts")).shell,
  start: async () => (await import("./start.ts")).start,
  unpack: async () => (await import("./unpack.ts")).unpack,
};

const [name = "", ...argv] = process.argv.slice(2);
const load = BENCHMARKS[name];
if (load === undefined) {
  console.error(`usage: npm run bench -- NAME [ARGUMENT...]\nNAME is one of ${Object.keys(BENCHMARKS).join(", ")}`);
  process.exit(2);
}
const machine = describeMachine();
const about = { name, date: new Date().toISOString().slice(0, 10), commit: currentCommit(), machine };
const benchmark = await load();
const report: Report = { ...about, ...(await benchmark(argv)) };
console.log(markdown(report));
// A part of it, asked for with arguments, is a look and not a result.
if (argv.length === 0) keep(report);
