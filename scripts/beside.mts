/**
 * Runs npm scripts beside one another: `node scripts/beside.mts FIRST [MORE...] LAST`. The last one's output comes as it is made; what
 * another one said is shown when that failed. Fails when one of them does.
 */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

/** How one script ended: whether well. */
async function run(script: string, isLast: boolean): Promise<boolean> {
  const stdio = isLast ? ("inherit" as const) : ("pipe" as const);
  const child = spawn("npm", ["run", "--silent", script], { stdio: ["ignore", stdio, stdio] });
  const ended = new Promise<boolean>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code === 0));
  });
  const [out, err, isWell] = await Promise.all([
    child.stdout ? text(child.stdout) : "",
    child.stderr ? text(child.stderr) : "",
    ended,
  ]);
  if (!isWell) process.stderr.write(out + err);
  return isWell;
}

const scripts = process.argv.slice(2);
const ends = await Promise.all(scripts.map((script, at) => run(script, at === scripts.length - 1)));
const failed = scripts.filter((_, at) => !ends[at]);
if (failed.length > 0) {
  process.stderr.write(`failed: ${failed.join(", ")}\n`);
  process.exitCode = 1;
}
