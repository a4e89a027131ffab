"""How the app is: a handshake on its port, its memory and CPU. Loaded only where it is switched on."""
