// A WebSocket app on ws that closes connections when it is told to.

import http from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';

const app = new WebSocketServer({ port: 8080 });
app.on('connection', (client) => {
  client.on('error', () => {});
  client.on('message', (message, isBinary) => client.send(message, { binary: isBinary }));
});

// ---- on notice
http.createServer(async (request, response) => {
  try {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { close, code, reason } = JSON.parse(body);
    if (!(close > 0)) throw new RangeError('close');
    const open = [...app.clients].filter((client) => client.readyState === WebSocket.OPEN);
    for (const client of open.slice(0, close)) client.close(code, reason);
    response.writeHead(204).end();
  } catch {
    response.writeHead(400).end();
  }
}).listen(9809, '127.0.0.1');
// ---- end
