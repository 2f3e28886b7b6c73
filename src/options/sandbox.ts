import type { OptionsOf } from './option.ts'
import { logOptions } from './shared.ts'
import { address, choice, count, dnsName, endpoint, file, folder, labels, port, socket } from './types.ts'

/** The options of `varmor sandbox`. */
export const sandboxOptions = {
  nodes: count({ help: 'number of nodes', default: 3 }),
  port: port({
    help: 'port of the API server',
    without: 'any free port, with --data the same port in each run',
  }),
  data: folder({
    help: 'folder that keeps objects, port and kubeconfig for the next run',
    without: 'nothing is kept',
  }),
  ...logOptions(),
}

export type SandboxArguments = OptionsOf<typeof sandboxOptions>

/** The options of `varmor sandbox-node`. */
export const sandboxNodeOptions = {
  kubeconfig: file({ help: 'kubeconfig that the sandbox wrote for this node', mandatory: true }),
  name: dnsName({ help: 'name of the node', mandatory: true }),
  containerd: socket({
    help: 'socket of containerd; it may appear later',
    default: '/run/containerd/containerd.sock',
  }),
  listen: endpoint({
    help: 'address that serves the logs of containers, and commands in containers',
    default: { host: '0.0.0.0', port: 10_250 },
    without: '0.0.0.0:10250',
  }),
  advertise: endpoint({ help: 'address at which the API server reaches --listen, if it differs' }),
  nodeIp: address({
    help: 'address of this node and its pods',
    without: 'the first address that is not loopback',
  }),
  label: labels({ help: 'labels of the node' }),
  rootDir: folder({ help: 'folder for volumes and Seccomp profiles', default: '/var/lib/kubelet' }),
  podLogsDir: folder({ help: 'folder for the logs of containers', default: '/var/log/pods' }),
  network: choice(['host', 'cni'], {
    help: "network of pods: host = the node's network; cni = one for each pod, from the runtime's CNI plugins",
    default: 'host',
  }),
  ...logOptions(),
}

export type SandboxNodeArguments = OptionsOf<typeof sandboxNodeOptions>
