/** `unpack-packs FOLDER TARGET`: what the agent does with an image of packs, from `unpack-door FOLDER`; prints its peak memory in bytes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { unpackImage } from "../../installer-agent/image/unpack-image.ts";
import { Connections } from "../../installer-agent/link/connections.ts";
import type { FileOrigin } from "../../installer-agent/link/file-origin.ts";
import { Origins, readSpan } from "../../installer-agent/link/read-span.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

const [folder = "", root = ""] = process.argv.slice(2);
const text = (name: string) => readFileSync(join(folder, name), "utf8");
const { hostname: host, port } = new URL(text("address"));
const tls = { ca: text("root.pem"), cert: text("cert.pem"), key: text("key.pem") };
const origin: FileOrigin = {
  address: host,
  target: () => ({ host, port: Number(port), tls }),
  path: (digest) => `/files/v1/${digest}`,
  refusal: (status) => new HpsError("unavailable", `refused with ${status}`),
};
const connections = new Connections(4);
const origins = new Origins([origin], connections);
const backoff = { min: 100, max: 1000 };
await unpackImage({
  files: JSON.parse(text("files.json")),
  spans: {
    read: (file, span, read) => readSpan(file, span, { ...read, origins, backoff }),
    hpsd: 0,
    distrust: () => undefined,
    close: () => connections.close(),
  },
  ...{ root, olds: [], what: "the image", signal: AbortSignal.timeout(600_000) },
  ...{ log: console.error, progress: () => undefined },
});
connections.close();
console.log(process.resourceUsage().maxRSS * 1024);
