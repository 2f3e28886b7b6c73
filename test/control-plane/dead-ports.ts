import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** Connections that this process has accepted, by its local port. */
const accepted = new Map<number, Set<Socket>>()
const dead = new Set<number>()

subscribe('net.server.socket', (message) => {
  const { socket } = message as { socket: Socket }
  const port = socket.localPort ?? 0
  if (dead.has(port)) {
    socket.destroy()
    return
  }
  const sockets = accepted.get(port) ?? new Set()
  accepted.set(port, sockets.add(socket))
  socket.once('close', () => sockets.delete(socket))
})

/**
 * Behaves as if the process that listens on these ports was killed: open and new connections break at once. Otherwise
 * pending answers would continue in this process and delay their callers, which a dead process does not.
 */
export function breakConnections(ports: readonly number[]): void {
  for (const port of ports) {
    dead.add(port)
    for (const socket of accepted.get(port) ?? []) socket.resetAndDestroy()
    accepted.delete(port)
  }
}

/** Ends `breakConnections` for ports that the system has given to another server. */
export function openAgain(ports: readonly number[]): void {
  for (const port of ports) dead.delete(port)
}
