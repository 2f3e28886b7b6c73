import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureImages } from './binaries/images.ts'
import { createCgroup } from './cgroups.ts'
import type { Cluster } from './cluster.ts'
import { output, probe } from './command.ts'
import { kubeletCommand, kubeletFiles } from './kubelet.ts'
import { ManagedProcess } from './managed-process.ts'
import { cniConfiguration, containerdConfiguration, type NodeLayout } from './node-files.ts'
import { cgroupPrefix, folderVariable } from './run-folder.ts'
import { measured } from './steps.ts'

/** A real node on this machine: containerd, runc, the bridge plugin, kubelet. */
export interface Node {
  name: string
  /** The address at which pods reach the node's kubelet and the host. */
  address: string
  folder: string
  containerd: ManagedProcess
  kubelet: ManagedProcess
  /** Path of containerd's socket. */
  socket: string
  /** Stops the node's containers, kubelet and containerd, and removes the node from the cluster. */
  stop(): Promise<void>
}

/**
 * Starts one more node and waits until it is ready. `cluster` must have been started with `nodes: true`.
 * @param more archives of additional images for the node
 * @param programs folder with containerd, its shim and runc, used in place of this machine's programs
 */
export async function startNode(
  cluster: Cluster,
  name: string,
  more: readonly string[] = [],
  programs?: string,
): Promise<Node> {
  const { archives } = await ensureImages(cluster.binaries, cluster.log)
  return measured(cluster.log, `node ${name}`, async () => {
    const layout = await prepare(cluster, name)
    const containerd = containerdOf(cluster, layout, programs)
    const kubelet = kubeletOf(cluster, layout)
    const stop = once(() => stopNode(cluster, layout, containerd, kubelet))
    cluster.attach(stop)
    await containerd.start()
    await containerd.ready()
    await Promise.all([...archives, ...more].map((archive) => ctr(layout, 'image', 'import', archive)))
    await kubelet.start()
    await kubelet.ready()
    await cluster.nodeReady(name)
    const { address, folder, socket } = layout
    return { name, address, folder, containerd, kubelet, socket, stop }
  })
}

const once = (work: () => Promise<void>): (() => Promise<void>) => {
  let done: Promise<void> | undefined
  return () => {
    done ??= work()
    return done
  }
}

const ctr = ({ socket }: NodeLayout, ...args: string[]): Promise<string> =>
  output('ctr', ['--address', socket, '--namespace', 'k8s.io', ...args])

async function prepare(cluster: Cluster, name: string): Promise<NodeLayout> {
  const network = await cluster.nextNode()
  const folder = join(cluster.folder.path, name)
  const cgroup = `${cgroupPrefix(cluster.folder)}${name}`
  for (const part of ['cni', 'manifests', 'plugins']) mkdirSync(join(folder, part), { recursive: true })
  const layout: NodeLayout = {
    name,
    ...network,
    // Each node has its own address, so all kubelets use the usual port.
    port: 10250,
    folder,
    root: join(folder, 'kubelet'),
    socket: join(folder, 'c.sock'),
    cgroup: `/${cgroup}`,
  }
  createCgroup(cgroup)
  for (const [file, text] of Object.entries(await kubeletFiles(cluster, layout, cluster.server))) {
    writeFileSync(join(folder, file), text, { mode: 0o600 })
  }
  writeFileSync(join(folder, 'containerd.toml'), containerdConfiguration(layout))
  writeFileSync(join(folder, 'cni', '10-bridge.conflist'), cniConfiguration(layout))
  return layout
}

function containerdOf(cluster: Cluster, layout: NodeLayout, programs: string | undefined): ManagedProcess {
  const path = programs === undefined ? {} : { PATH: `${programs}:${process.env['PATH']}:/usr/sbin:/sbin` }
  return new ManagedProcess({
    name: `${layout.name}-containerd`,
    command: ['containerd', '--config', join(layout.folder, 'containerd.toml')],
    logs: cluster.logs,
    env: { [folderVariable]: cluster.folder.path, ...path },
    serves: async () => probe('ctr', '--address', layout.socket, 'version') !== undefined,
  })
}

function kubeletOf(cluster: Cluster, layout: NodeLayout): ManagedProcess {
  return new ManagedProcess({
    name: `${layout.name}-kubelet`,
    command: kubeletCommand(cluster.binaries.kubelet, layout),
    logs: cluster.logs,
    env: { [folderVariable]: cluster.folder.path },
    serves: async () => (await fetch(`http://${layout.address}:10248/healthz`)).ok,
  })
}

async function stopNode(
  cluster: Cluster,
  layout: NodeLayout,
  containerd: ManagedProcess,
  kubelet: ManagedProcess,
): Promise<void> {
  await kubelet.stop()
  if (containerd.running) await endContainers(layout)
  await containerd.stop()
  await cluster.tryKubectl(['delete', 'node', layout.name, '--ignore-not-found', '--wait=false'])
}

/** Kills the containers, so that their shims end; the cluster's sweep ends the remaining shims. */
async function endContainers(layout: NodeLayout): Promise<void> {
  const tasks = (await ctr(layout, 'task', 'list', '--quiet')).split('\n').filter((line) => line !== '')
  await Promise.all(
    tasks.map((task) =>
      probe('ctr', '--address', layout.socket, '--namespace', 'k8s.io', 'task', 'delete', '--force', task),
    ),
  )
}
