import { request } from "node:http";

// A program for a client namespace, `node boot-flood.ts URL COUNT`: as many requests for a boot script, each as another machine, 16 at a time.
// Prints how often each status came, as JSON.

const [url = "", count = "0"] = process.argv.slice(2);
const statuses: Record<string, number> = {};
let next = 0;

async function ask(index: number): Promise<void> {
  const mac = `02:f1:${index.toString(16).padStart(8, "0").match(/../g)?.join(":")}`;
  const status = await new Promise<string>((resolve) => {
    const asked = request(`${url}?mac=${mac}&serial=${"x".repeat(300)}`, { timeout: 30_000 }, (reply) => {
      reply.resume().on("end", () => resolve(String(reply.statusCode)));
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve("error"));
    asked.end();
  });
  statuses[status] = (statuses[status] ?? 0) + 1;
}

async function worker(): Promise<void> {
  for (let index = next++; index < Number(count); index = next++) await ask(index);
}

await Promise.all(Array.from({ length: 16 }, worker));
process.stdout.write(`${JSON.stringify(statuses)}\n`);
