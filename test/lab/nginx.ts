import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePorts } from "../faults/real-hpsd.ts";
import { type Program, startProgram } from "./program.ts";
import { killGroup } from "./run.ts";

/** A web server with the files of a mirror, as docs/image-mirrors.md has it. */
export interface Nginx extends AsyncDisposable {
  readonly port: number;
  readonly folder: string;
  /** Master and workers at once, as when the machine is gone. */
  kill(): void;
}

interface NginxOptions {
  /** Everything of it lies there. */
  readonly folder: string;
  /** PEM. */
  readonly pair: { readonly key: string; readonly cert: string };
  /** Bytes a second, as nginx writes it; none where nothing is said. */
  readonly rate?: string;
  /** What stands beside the configuration of the documentation. */
  readonly more?: string;
}

/** Starts Debian's nginx with the very words of the documentation, but for where things are. */
export async function startNginx({ folder, pair, rate = "0", more = "" }: NginxOptions): Promise<Nginx> {
  const [port = 0] = await freePorts(1);
  for (const part of ["tmp", "srv/packs", "srv/deltas"]) mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, "pair.pem"), pair.cert);
  writeFileSync(join(folder, "pair.key"), pair.key, { mode: 0o600 });
  writeFileSync(join(folder, "site.conf"), documentedSite(folder, port) + more);
  writeFileSync(join(folder, "nginx.conf"), mainConfiguration(folder, rate));
  const argv = ["nginx", "-p", folder, "-c", join(folder, "nginx.conf")];
  const program: Program = await startProgram({ argv, readyLine: /start worker process \d+/ });
  await listens(port);
  return {
    port,
    folder,
    kill: () => killGroup(program.pid, "SIGKILL"),
    [Symbol.asyncDispose]: async () => {
      await program.stop("SIGTERM", 2000);
    },
  };
}

function documentedSite(folder: string, port: number): string {
  const text = readFileSync(new URL("../../docs/image-mirrors.md", import.meta.url), "utf8");
  const [, site = ""] = /```nginx\n(.*?)```/s.exec(text) ?? [];
  const places: readonly (readonly [string, string])[] = [
    ["listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`],
    ["listen [::]:443 ssl;", ""],
    ["/etc/ssl/hps-cache.pem", join(folder, "pair.pem")],
    ["/etc/ssl/private/hps-cache.key", join(folder, "pair.key")],
    ["/var/log/nginx/hps-cache.log", join(folder, "error.log")],
    ["/srv/hps", join(folder, "srv")],
  ];
  return places.reduce((written, [there, here]) => {
    if (!written.includes(there)) throw new Error(`docs/image-mirrors.md: the configuration lacks ${there}`);
    return written.replace(there, here);
  }, site);
}

function mainConfiguration(folder: string, rate: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
user root root;
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr notice;
events { worker_connections 64; }
http {
  access_log ${folder}/access.log;
  ${temporary.map((kind) => `${kind}_temp_path ${folder}/tmp/${kind};`).join("\n  ")}
  limit_rate ${rate};
  include ${folder}/site.conf;
}
`;
}

async function listens(port: number): Promise<void> {
  const socket = connect({ host: "127.0.0.1", port });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  socket.destroy();
}
