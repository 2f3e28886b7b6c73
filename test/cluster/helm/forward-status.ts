import { connect, createServer, type Server } from 'node:net'
import type { Cluster } from '../cluster.ts'

interface Slice {
  endpoints?: { addresses: string[]; conditions?: { ready?: boolean } }[]
}

/**
 * Acts as kube-proxy for one Service, for agents in the host's network: each connection goes to another pod.
 * @param address address to listen at, on the Service's port
 */
export async function forwardStatus(cluster: Cluster, namespace: string, address: string): Promise<Server> {
  let turn = 0
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    void endpoints(cluster, namespace).then((found) => {
      const host = found[turn++ % found.length]
      if (host === undefined) {
        socket.destroy()
        return
      }
      const there = connect(8080, host)
      there.on('error', () => socket.destroy())
      socket.on('close', () => there.destroy())
      there.on('close', () => socket.destroy())
      socket.pipe(there).pipe(socket)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(8080, address, resolve)
  })
  return server
}

async function endpoints(cluster: Cluster, namespace: string): Promise<string[]> {
  const service = 'kubernetes.io/service-name=varmor-status-svc'
  const { status, stdout } = await cluster.tryKubectl([
    '-n',
    namespace,
    'get',
    'endpointslices',
    '-l',
    service,
    '-o',
    'json',
  ])
  const { items = [] } = status === 0 ? (JSON.parse(stdout) as { items?: Slice[] }) : {}
  return items
    .flatMap(({ endpoints = [] }) => endpoints)
    .filter(({ conditions }) => conditions?.ready === true)
    .flatMap(({ addresses }) => addresses)
}
