// One client of each ending, as the library comes: node client.mjs NAME PORT ENDINGS NUMBER
// What it shows to the application goes back to the server: POST /told/ENDING/NUMBER.

import { createRequire } from "node:module";
import { WebSocket as Undici } from "undici";

const require = createRequire(import.meta.url);

// What is written for browsers finds a browser's WebSocket, and what little else it asks for.
globalThis.WebSocket = Undici;

const words = ({ code, wasClean }) => `${code}, ${wasClean ? "clean" : "not clean"}`;

const watch = (socket, tell) => {
  let before = "";
  socket.addEventListener("error", () => { before = "error, then "; });
  socket.addEventListener("close", (event) => tell(before + words(event)));
};

const clients = {
  ws: (url, tell) => watch(new (require("ws"))(url), tell),
  undici: (url, tell) => watch(new Undici(url), tell),
  "reconnecting-websocket": (url, tell) => watch(new (require("reconnecting-websocket"))(url), tell),
  partysocket: (url, tell) => watch(new (require("partysocket/ws").default)(url), tell),

  "graphql-ws": (url, tell) => {
    const { createClient } = require("graphql-ws");
    const client = createClient({ url, on: { closed: (event) => tell(words(event)) } });
    const sink = { next: () => {}, error: () => {}, complete: () => {} };
    client.subscribe({ query: "subscription { a }" }, sink);
  },

  "socket.io-client": (url, tell) => {
    const { protocol, host, pathname } = new URL(url);
    const { io } = require("socket.io-client");
    const socket = io(`${protocol}//${host}`, { path: pathname, transports: ["websocket"], forceNew: true });
    socket.on("disconnect", (reason) => tell(`"${reason}"`));
  },

  phoenix: (url, tell) => {
    const { Socket } = require("phoenix");
    const socket = new Socket(url);
    socket.onClose((event) => tell(words(event)));
    socket.connect();
  },

  centrifuge: (url, tell) => {
    const { Centrifuge } = require("centrifuge");
    const client = new Centrifuge(url);
    let connected = false;
    client.on("connected", () => { connected = true; });
    client.on("connecting", ({ code, reason }) => connected && tell(`connecting: ${code} "${reason}"`));
    client.on("disconnected", ({ code, reason }) => tell(`disconnected: ${code} "${reason}"`));
    client.connect();
  },

  signalr: (url, tell) => signalr(url, tell, (builder) => builder),
  "signalr+reconnect": (url, tell) => signalr(url, tell, (builder) => builder.withAutomaticReconnect()),

  "pusher-js": (url, tell) => {
    const { hostname, port, pathname } = new URL(url);
    const Pusher = require("pusher-js");
    const pusher = new Pusher("key", {
      cluster: "", wsHost: hostname, wsPort: port, wsPath: pathname, forceTLS: false, enabledTransports: ["ws"],
    });
    let connected = false;
    pusher.connection.bind("state_change", ({ current }) => {
      if (connected) tell(`state "${current}"`);
      connected ||= current === "connected";
    });
  },

  actioncable: (url, tell) => {
    globalThis.addEventListener ??= () => {};
    globalThis.removeEventListener ??= () => {};
    globalThis.document ??= { visibilityState: "visible" };
    const { createConsumer, adapters } = require("@rails/actioncable");
    adapters.WebSocket = Undici;
    createConsumer(url).subscriptions.create("Any", {
      disconnected: ({ willAttemptReconnect }) => tell(`disconnected, willAttemptReconnect ${willAttemptReconnect}`),
    });
  },
};

function signalr(url, tell, configured) {
  const { HubConnectionBuilder, LogLevel } = require("@microsoft/signalr");
  const builder = new HubConnectionBuilder().withUrl(url.replace("ws:", "http:")).configureLogging(LogLevel.None);
  const connection = configured(builder).build();
  const inError = (error) => (error ? `error with ${error.message.match(/\d{4}/)}` : "no error");
  connection.onreconnecting((error) => tell(`onreconnecting, ${inError(error)}`));
  connection.onclose((error) => tell(`onclose, ${inError(error)}`));
  connection.start();
}

const PROTOCOLS = {
  "graphql-ws": "graphql", "socket.io-client": "socketio", phoenix: "phoenix", centrifuge: "centrifuge",
  signalr: "signalr", "signalr+reconnect": "signalr", "pusher-js": "pusher", actioncable: "actioncable",
};

const [name, port, endings, number] = process.argv.slice(2);
// Some throw where nobody can catch it when a try is refused; the others go on.
process.on("uncaughtException", (error) => console.error(error));
for (const ending of endings.split(",")) {
  const tell = (shown) => fetch(`http://127.0.0.1:${port}/told/${ending}/${number}`, { method: "POST", body: shown });
  clients[name](`ws://127.0.0.1:${port}/${PROTOCOLS[name] ?? "plain"}/${ending}/${number}`, tell);
}
// A client that has given up must not end the others.
setInterval(() => {}, 60_000);
