/** What peers fetch from: nginx and an rsync daemon, on the loopback network. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Program, startProgram } from "../lab/program.ts";
import type { Fleet } from "./fleet.ts";

/** Of the benchmark's own network namespace. */
export const PORTS = { plain: 8080, tls: 8443, rsync: 8730 } as const;

export interface ServersOptions {
  /** For what the servers need themselves. */
  readonly folder: string;
  /** What is served: at `/` of both of nginx's ports, and as module `all` of rsync's. */
  readonly served: string;
  /** Served by TLS below `/packs/`. */
  readonly packs: string;
  readonly fleet: Fleet;
}

/** Gives what ends them. */
export async function startServers(options: ServersOptions): Promise<() => Promise<void>> {
  const own = join(options.folder, "servers");
  mkdirSync(own, { mode: 0o700 });
  const write = (name: string, text: string) => writeFileSync(join(own, name), text, { mode: 0o600 });
  write("ca.pem", options.fleet.ca);
  write("server.crt", options.fleet.server.cert);
  write("server.key", options.fleet.server.key);
  write("nginx.conf", nginxConfig(own, options));
  write("rsyncd.conf", rsyncConfig(options));
  const programs: Program[] = [];
  const stop = async () => {
    for (const program of programs.splice(0)) await program.stop();
  };
  const nginx = ["nginx", "-p", own, "-c", join(own, "nginx.conf"), "-e", "stderr"];
  const rsync = ["rsync", "--daemon", "--no-detach", `--config=${join(own, "rsyncd.conf")}`, `--port=${PORTS.rsync}`];
  for (const argv of [nginx, [...rsync, "--address=127.0.0.1"]]) programs.push(await startProgram({ argv }));
  return stop;
}

/** As docs of nginx advise for static files; a worker for each processor. */
function nginxConfig(own: string, { served, packs }: ServersOptions): string {
  return `user root;
daemon off;
worker_processes auto;
pid ${own}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  server { listen 127.0.0.1:${PORTS.plain}; root ${served}; }
  server {
    listen 127.0.0.1:${PORTS.tls} ssl;
    ssl_certificate ${own}/server.crt;
    ssl_certificate_key ${own}/server.key;
    ssl_protocols TLSv1.3;
    ssl_client_certificate ${own}/ca.pem;
    ssl_verify_client on;
    ssl_verify_depth 3;
    root ${served};
    location /packs/ { alias ${packs}/; }
  }
}
`;
}

function rsyncConfig({ served }: ServersOptions): string {
  return `uid = root\ngid = root\nuse chroot = no\n[all]\npath = ${served}\nread only = yes\n`;
}
