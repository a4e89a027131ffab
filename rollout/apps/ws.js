// Node's ws: echoes and pushes. Like most of its users it has no signal handler.
"use strict";
const { WebSocket, WebSocketServer } = require("ws");
const { pushing } = require("./ledger.js");

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.env.ROLLOUT_PORT), backlog: 1024 });
server.on("connection", (socket, request) => {
  const life = new URL(request.url, "http://app").searchParams.get("life");
  const stop = pushing(life, (number, padding) => {
    if (socket.readyState !== WebSocket.OPEN) return false;
    socket.send(`p ${number} ${padding}`);
    return true;
  });
  socket.on("message", (message) => socket.send(message.toString()));
  socket.on("close", stop);
  socket.on("error", stop);
});
