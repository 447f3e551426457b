// relay.py for Node.js, for images that have neither Python nor Perl.
"use strict";
const net = require("net");

const [OPEN, DATA, END, RESET, CREDIT, READY] = [0, 1, 2, 3, 4, 5];
const WINDOW = 1 << 20;
const CHUNK = 1 << 16;
const connections = new Map();
let numbers = 0;
let buffer = Buffer.alloc(0);

function send(number, kind, data = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUInt32BE(number, 0);
  head.writeUInt8(kind, 4);
  head.writeUInt32BE(data.length, 5);
  process.stdout.write(Buffer.concat([head, data]));
}

function accept(peer) {
  const number = ++numbers;
  const connection = { peer, credit: WINDOW, held: [] };
  connections.set(number, connection);
  peer.setNoDelay(true);
  send(number, OPEN);
  peer.on("data", (data) => {
    connection.held.push(data);
    forward(number, connection);
  });
  peer.on("end", () => {
    connection.held.push(null);
    forward(number, connection);
  });
  peer.on("error", () => {
    if (connections.delete(number)) send(number, RESET);
  });
  peer.on("close", () => {
    if (connections.get(number) === connection && connection.held.length === 0) connections.delete(number);
  });
}

// Send what the credit allows; hold the rest and stop reading.
function forward(number, connection) {
  while (connection.held.length > 0 && connections.get(number) === connection) {
    const data = connection.held[0];
    if (data === null) {
      connection.held.shift();
      send(number, END);
      if (connection.peer.destroyed) connections.delete(number);
      continue;
    }
    if (connection.credit === 0) break;
    const piece = data.subarray(0, Math.min(CHUNK, connection.credit));
    connection.credit -= piece.length;
    if (piece.length === data.length) connection.held.shift();
    else connection.held[0] = data.subarray(piece.length);
    send(number, DATA, piece);
  }
  if (connection.held.length > 0) connection.peer.pause();
  else connection.peer.resume();
}

function obey(number, kind, data) {
  const connection = connections.get(number);
  if (connection === undefined) return;
  if (kind === DATA) {
    connection.peer.write(data, (error) => {
      if (error || connections.get(number) !== connection) return;
      const size = Buffer.alloc(4);
      size.writeUInt32BE(data.length);
      send(number, CREDIT, size);
    });
  } else if (kind === CREDIT) {
    connection.credit += data.readUInt32BE(0);
    forward(number, connection);
  } else if (kind === END) {
    connection.peer.end();
  } else if (kind === RESET) {
    connections.delete(number);
    connection.peer.destroy();
  }
}

process.stdin.on("data", (data) => {
  buffer = Buffer.concat([buffer, data]);
  while (buffer.length >= 9) {
    const size = buffer.readUInt32BE(5);
    if (buffer.length < 9 + size) break;
    const frame = buffer.subarray(0, 9 + size);
    buffer = buffer.subarray(9 + size);
    obey(frame.readUInt32BE(0), frame.readUInt8(4), Buffer.from(frame.subarray(9)));
  }
});
process.stdin.on("end", () => process.exit(0));
process.stdout.on("error", () => process.exit(0));

const listener = net.createServer({ allowHalfOpen: true }, accept);
listener.on("error", (error) => {
  send(0, RESET, Buffer.from(error.code || String(error)));
  process.exitCode = 1;
  process.stdin.destroy();
});
listener.listen(Number(process.argv[process.argv.length - 1]), "127.0.0.1", 64, () => {
  send(0, READY, Buffer.from(String(listener.address().port)));
});
