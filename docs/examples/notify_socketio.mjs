// A socket.io app that closes connections when it is told to.

import http from 'node:http';
import { Server } from 'socket.io';

const io = new Server(8080);
io.on('connection', (socket) => {
  socket.on('word', (word) => socket.emit('word', word));
});

// ---- on notice
const connections = new Set();
io.engine.on('connection', (connection) => {
  connections.add(connection);
  connection.on('close', () => connections.delete(connection));
});

http.createServer(async (request, response) => {
  try {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { close } = JSON.parse(body);
    if (!(close > 0)) throw new RangeError('close');
    const open = [...connections].filter((connection) => connection.readyState === 'open');
    for (const connection of open.slice(0, close)) connection.close();
    response.writeHead(204).end();
  } catch {
    response.writeHead(400).end();
  }
}).listen(9809, '127.0.0.1');
// ---- end
