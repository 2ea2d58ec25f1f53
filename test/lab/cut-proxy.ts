import { connect, createServer, type Socket } from "node:net";

// A program for the server's namespace, `node cut-proxy.ts PORT TARGET-PORT reply|hold|late|silent`, between a machine and hpsd on 10.77.0.1:
//   reply  the first connection is cut when hpsd answers the request on it: what hpsd did is done, and its answer is lost
//   hold   that answer is held for ever, and the connection stays
//   late   whatever hpsd says arrives 3 s later; SIGUSR1 drops what is on its way, cuts all connections, and ends the delay
//   silent nothing comes through, in either direction, until SIGUSR1
// Prints `listening`, then `lost` when an answer was, and of how many pieces. TLS 1.3 without tickets: hpsd says nothing more between its handshake and an answer.

const HOST = "10.77.0.1";
const LATE_MS = 3_000;
const [port = "", target = "", wish = ""] = process.argv.slice(2);
const open = new Set<Socket>();
let mode = wish;
let onTheWay = 0;

createServer((machine) => {
  const hpsd = connect(Number(target), HOST);
  for (const socket of [machine, hpsd]) {
    open.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => {
      open.delete(socket);
      machine.destroy();
      hpsd.destroy();
    });
  }
  let hpsdSpoke = false;
  let asked = false;
  machine.on("data", (chunk) => {
    asked ||= hpsdSpoke;
    if (mode !== "silent") hpsd.write(chunk);
  });
  hpsd.on("data", (chunk) => {
    hpsdSpoke = true;
    if (mode === "late") later(() => machine.write(chunk));
    else if (mode === "plain" || !asked) machine.write(chunk);
    else lose(machine);
  });
}).listen(Number(port), HOST, () => console.log("listening"));

function later(say: () => void): void {
  onTheWay += 1;
  setTimeout(() => {
    onTheWay -= 1;
    say();
  }, LATE_MS);
}

function lose(machine: Socket): void {
  console.log("lost");
  if (mode === "hold") return;
  mode = "plain";
  machine.destroy();
}

process.on("SIGUSR1", () => {
  mode = "plain";
  for (const socket of open) socket.destroy();
  console.log(`lost ${onTheWay}`);
});
