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
  /** Of each file's answers, their bytes; counts only with `counted`. */
  sent(): ReadonlyMap<string, number>;
  /** Master and workers at once, as when the machine is gone. */
  kill(): void;
}

interface NginxOptions {
  /** Everything of it lies there. */
  readonly folder: string;
  /** PEM. None: by plain HTTP. */
  readonly pair?: { readonly key: string; readonly cert: string };
  /** Where it listens; default: a free port of the loopback. */
  readonly at?: { readonly ns: string; readonly address: string; readonly port: number };
  /** Counts what it sends of which file in `sent.log`: as no mirror should. */
  readonly counted?: boolean;
  /** Bytes a second, as nginx writes it; none where nothing is said. */
  readonly rate?: string;
  /** What stands beside the configuration of the documentation. */
  readonly more?: string;
}

/** Starts Debian's nginx with the very words of the documentation, but for where things are. */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const { folder, pair, rate = "0", more = "", at } = options;
  const port = at?.port ?? (await freePorts(1))[0] ?? 0;
  for (const part of ["tmp", "srv/packs", "srv/deltas"]) mkdirSync(join(folder, part), { recursive: true });
  if (pair !== undefined) {
    writeFileSync(join(folder, "pair.pem"), pair.cert);
    writeFileSync(join(folder, "pair.key"), pair.key, { mode: 0o600 });
  }
  writeFileSync(join(folder, "site.conf"), documentedSite(options, `${at?.address ?? "127.0.0.1"}:${port}`) + more);
  writeFileSync(join(folder, "nginx.conf"), mainConfiguration(folder, rate));
  const argv = ["nginx", "-p", folder, "-c", join(folder, "nginx.conf")];
  const ns = at === undefined ? {} : { ns: at.ns };
  const program: Program = await startProgram({ argv, ...ns, readyLine: /start worker process \d+/ });
  if (at === undefined) await listens(port);
  return {
    port,
    folder,
    sent: () => sentBy(join(folder, "sent.log")),
    kill: () => killGroup(program.pid, "SIGKILL"),
    [Symbol.asyncDispose]: async () => {
      await program.stop("SIGTERM", 2000);
    },
  };
}

function documentedSite({ folder, pair, counted = false }: NginxOptions, address: string): string {
  const text = readFileSync(new URL("../../docs/image-mirrors.md", import.meta.url), "utf8");
  const [, site = ""] = /```nginx\n(.*?)```/s.exec(text) ?? [];
  const places: (readonly [string, string])[] = [
    ["listen 443 ssl;", `listen ${address} ssl;`],
    ["listen [::]:443 ssl;", ""],
    ["/etc/ssl/hps-cache.pem", join(folder, "pair.pem")],
    ["/etc/ssl/private/hps-cache.key", join(folder, "pair.key")],
    ["/var/log/nginx/hps-cache.log", join(folder, "error.log")],
    ["/srv/hps", join(folder, "srv")],
  ];
  if (counted) places.push(["access_log off;", `access_log ${join(folder, "sent.log")} sent;`]);
  const here = places.reduce((written, [there, here]) => {
    if (!written.includes(there)) throw new Error(`docs/image-mirrors.md: the configuration lacks ${there}`);
    return written.replace(there, here);
  }, site);
  // As the page says of `http:`.
  return pair === undefined ? here.replaceAll(/^ *ssl_.*\n/gm, "").replaceAll(" ssl;", ";") : here;
}

function sentBy(log: string): ReadonlyMap<string, number> {
  const sent = new Map<string, number>();
  for (const line of readFileSync(log, "utf8").trimEnd().split("\n")) {
    const [status = "", bytes = "", path = ""] = line.split(" ");
    const name = path.split("/").at(-1) ?? "";
    if (status === "200" || status === "206") sent.set(name, (sent.get(name) ?? 0) + Number(bytes));
  }
  return sent;
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
  log_format sent "$status $body_bytes_sent $uri";
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
