/** `npm run demo`: the README's first host, typed for you. `--keep` leaves it running. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandsOf, QuickstartRunner, readQuickstart } from "./quickstart.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const LINKED = ["scripts", "package.json", "client"];

const keep = process.argv.includes("--keep");
const folder = mkdtempSync(join(tmpdir(), "hps-demo-"));
for (const name of LINKED) symlinkSync(join(ROOT, name), join(folder, name));
const bold =
  process.stdout.isTTY && process.env.NO_COLOR === undefined
    ? (text: string) => `\x1b[1m${text}\x1b[0m`
    : (text: string) => text;
const runner = new QuickstartRunner({ cwd: folder, env: process.env, onOutput: (text) => process.stdout.write(text) });
const interrupted = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
});

async function demo(): Promise<void> {
  for (const block of readQuickstart(readFileSync(join(ROOT, "README.md"), "utf8")).blocks) {
    for (const command of commandsOf(block)) {
      process.stdout.write(`\n${bold(`$ ${command.commands.replaceAll("\n", "\n> ")}`)}\n`);
      await runner.run(command);
    }
  }
  process.stdout.write(`\n${bold("That was the control plane: gate, live installation, recorded shell, audit.")}\n`);
  if (!keep) return;
  process.stdout.write(`It goes on running; Ctrl-C ends it. In another terminal:\n\n`);
  process.stdout.write(
    `  cd ${folder} && export PATH="$PWD/scripts:$PATH" HPSCONFIG="$PWD/lab/hpsctl.yaml"\n  hpsctl status\n`,
  );
  await interrupted;
}

try {
  await Promise.race([demo(), interrupted]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.error(`\nThe demo failed. What hpsd wrote is above and in ${folder}, which is kept.`);
  process.exitCode = 1;
}
await runner[Symbol.asyncDispose]();
if (process.exitCode === undefined) rmSync(folder, { recursive: true, force: true });
