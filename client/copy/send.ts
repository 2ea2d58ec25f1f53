import { CopyDirection } from "../../proto/gen/hps/v1/shell_pb.ts";
import { type ByteString, byteStringOf, latin1 } from "../../proto/tree/byte-string.ts";
import { ProgressBar } from "../output/progress-bar.ts";
import type { Connection } from "../shell/connection.ts";
import { type CopyCall, openCopy } from "./copy-call.ts";
import { checkEnd, copySession } from "./copy-session.ts";
import { localArchive } from "./local-archive.ts";
import { type LocalNode, type LocalTree, localTree } from "./local-tree.ts";
import { type CopyOrder, lastName, parentOf } from "./operand.ts";
import { type Incoming, receiveCommand } from "./remote-script.ts";

type SendOrder = Extract<CopyOrder, { readonly to: "host" }>;

interface Source {
  /** What it is called in a folder on the host; `.` for one without a name of its own. */
  readonly name: ByteString;
  readonly tree: LocalTree;
}

/** Copies files and folders from here to a host, in one session. */
export async function sendCopy(copy: CopyCall, { sources, host, path }: SendOrder): Promise<void> {
  const read = await Promise.all(sources.map((source) => readSource(source, copy.recursive)));
  for (const sentence of read.flatMap(({ tree }) => tree.skipped)) copy.onProblem(sentence);
  const what = kindOf(read);
  const names = { path, parent: parentOf(path), name: lastName(sources[0] ?? "") };
  const command = receiveCommand({ ...names, what, keepTimes: copy.exact });
  using connection = await openCopy(copy, host, command, CopyDirection.TO_HOST);
  const total = read.reduce((sum, { tree }) => sum + tree.bytes, 0);
  const label = sources.length === 1 ? (sources[0] ?? "") : `${sources.length} sources`;
  using bar = new ProgressBar(copy.call.terminal, `sending ${label}`, total);
  const upload = new Upload(connection, (answer) => localArchive(named(read, answer), reporting(copy, bar)));
  try {
    checkEnd(await copySession(connection, (bytes) => upload.answered(bytes)), `${host}:${path}`);
  } catch (error) {
    throw upload.failure ?? error;
  }
}

function reporting({ exact, onProblem }: CopyCall, bar: ProgressBar) {
  return { exact, onProblem, onBytes: (count: number) => bar.add(count) };
}

async function readSource(path: string, recursive: boolean): Promise<Source> {
  const name = lastName(path);
  return { name: byteStringOf(name === "" ? "." : name), tree: await localTree(path, SELF, recursive) };
}

const SELF = latin1(".");

function kindOf(sources: readonly Source[]): Incoming {
  if (sources.length > 1) return "many";
  return sources[0]?.tree.nodes[0]?.type === "file" ? "file" : "folder";
}

/** Nodes by the names they get on the host. There a folder that was made for them is called as it was asked: `as`. */
function* named(sources: readonly Source[], answer: string): Generator<LocalNode, void> {
  for (const { name, tree } of sources) {
    for (const node of tree.nodes) yield { ...node, name: answer === "as" ? node.name : below(name, node.name) };
  }
}

function below(folder: ByteString, name: ByteString): ByteString {
  if (name === SELF) return folder;
  return folder === SELF ? name : latin1(`${folder}/${name}`);
}

/** Sends the archive once the host has said in one line that it is ready, and as what. */
class Upload {
  readonly #connection: Connection;
  readonly #archive: (answer: string) => AsyncIterable<Uint8Array>;
  #line: string | undefined = "";
  /** Why nothing more could be sent. */
  failure: unknown;

  constructor(connection: Connection, archive: (answer: string) => AsyncIterable<Uint8Array>) {
    this.#connection = connection;
    this.#archive = archive;
  }

  answered(bytes: Uint8Array): void {
    if (this.#line === undefined) return;
    this.#line = `${this.#line}${Buffer.from(bytes).toString("latin1")}`.slice(0, 64);
    if (!this.#line.includes("\n")) return;
    const [answer = ""] = this.#line.split("\n");
    this.#line = undefined;
    void this.#send(answer);
  }

  async #send(answer: string): Promise<void> {
    try {
      for await (const piece of this.#archive(answer)) {
        if (!(await this.#connection.type(piece))) return;
      }
      await this.#connection.send({ case: "endOfInput", value: {} });
    } catch (error) {
      this.failure = error;
      this.#connection.cut();
    }
  }
}
