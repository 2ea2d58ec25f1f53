/** `image-agent JOB.json`: makes a folder an image as the agent does, from hpsd over HTTPS, and prints what it took. A process of its own, for its memory. */
import { readFileSync } from "node:fs";
import { certificateIdentity } from "../../certs/certificate-identity.ts";
import { pairCredentials } from "../../certs/credentials.ts";
import { readCertificatesPem } from "../../certs/files.ts";
import { readPrivateKeyPem } from "../../certs/key.ts";
import type { ImageFiles } from "../../installer-agent/image/image-source.ts";
import type { OldRoot } from "../../installer-agent/image/old-files.ts";
import { unpackImage } from "../../installer-agent/image/unpack-image.ts";
import { filesOf } from "../../installer-agent/link/files.ts";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { parseEndpoint } from "../../proto/values/endpoint.ts";
import { parseHttpsUrl } from "../../proto/values/https-url.ts";
import type { AgentDone, AgentJob } from "./image-job.ts";

async function main(): Promise<void> {
  const job: AgentJob = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
  const chain = readCertificatesPem(job.cert, "the fleet");
  const credentials = pairCredentials(readPrivateKeyPem(job.key), chain);
  const { trustDomain } = certificateIdentity(credentials.certificate);
  const ports = { grpc: parseEndpoint(job.grpc), https: parseHttpsUrl(job.https) };
  const contact = { ...ports, trustDomain: parseDomainName(trustDomain), rootCertificate: job.ca };
  const spans = filesOf({ identity: { contact, credentials }, backoff: { min: 100, max: 1000 } }).open([]);
  const files: ImageFiles = job.files;
  const olds: readonly OldRoot[] = job.olds;
  const done = await unpackImage({
    ...{ files, olds, spans, root: job.root, what: "the image", signal: AbortSignal.timeout(600_000) },
    ...{ log: (line: string) => console.error(line), progress: () => undefined },
  });
  spans.close();
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const said: AgentDone = { ...done, peakBytes: maxRSS * 1024, processor: (userCPUTime + systemCPUTime) / 1e6 };
  console.log(JSON.stringify(said));
}

void main();
