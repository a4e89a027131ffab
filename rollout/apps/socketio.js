// socket.io over its WebSocket transport: echoes and pushes, without a signal handler.
"use strict";
const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { pushing } = require("./ledger.js");

const http = createServer();
const server = new Server(http, { transports: ["websocket"] });
server.on("connection", (socket) => {
  const stop = pushing(socket.handshake.query.life, (number, padding) => {
    if (!socket.connected) return false;
    socket.emit("p", number, padding);
    return true;
  });
  socket.on("q", (number) => socket.emit("q", number));
  socket.on("disconnect", stop);
});
http.listen(Number(process.env.ROLLOUT_PORT), "127.0.0.1", 1024);
