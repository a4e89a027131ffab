// Clients of a socket.io server: `node clients.mjs PORT NUMBER`. Each event is a line on standard error.

import { io } from 'socket.io-client';

const [, , port, number] = process.argv;
const tell = (...words) => process.stderr.write(`${words.join(' ')}\n`);

for (let client = 0; client < Number(number); client += 1) {
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true });
  socket.on('connect', () => socket.emit('word', 'hello'));
  socket.on('word', () => tell('served', client));
  socket.on('disconnect', (reason) => tell('left', client, reason));
}
