/** `unpack-door FOLDER`: serves its files over HTTPS to whoever has the certificate that it puts beside them, until it is killed. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { FileDoor } from "../../installer-agent/testing/file-door.ts";

const [folder = ""] = process.argv.slice(2);
const door = await FileDoor.open();
for (const name of readdirSync(folder)) door.files.set(`/files/v1/${name}`, readFileSync(join(folder, name)));
const { contact, credentials } = await door.identity();
const { key, cert } = tlsKeyPair(credentials);
writeFileSync(join(folder, "key.pem"), key, { mode: 0o600 });
writeFileSync(join(folder, "cert.pem"), cert);
writeFileSync(join(folder, "root.pem"), contact.rootCertificate);
writeFileSync(join(folder, "address"), contact.https);
console.log("open");
