import { type Command, Option } from 'commander'
import { readCount, readDnsName, readEndpoint, readLabels, readPort } from './read-option.ts'
import { end, logOptions, untilSignal } from './roles.ts'

export function addSandbox(varmor: Command): void {
  const sandbox = varmor
    .command('sandbox')
    .description(
      'run a cluster with vArmor in this process: an API server for kubectl, a manager, and nodes that only record profiles',
    )
    .option('--nodes <count>', 'number of nodes', readCount, 3)
    .option(
      '--port <port>',
      'port of the API server; default: any free port, with --data the same port in each run',
      readPort,
    )
    .option(
      '--data <folder>',
      'folder that keeps objects, port and kubeconfig for the next run; default: nothing is kept',
    )
  logOptions(sandbox)
    .addHelpText('after', untilSignal)
    .action(async (given) => {
      const { sandboxCommand } = await import('./sandbox-command.ts')
      await end(sandboxCommand(given))
    })
}

/** Adds the command that a sandbox starts in a virtual machine. Users do not need it, so the help does not list it. */
export function addSandboxNode(varmor: Command): void {
  const node = varmor
    .command('sandbox-node', { hidden: true })
    .description('run the pods of one node of a sandbox in the containerd of this machine')
    .requiredOption('--kubeconfig <file>', 'kubeconfig that the sandbox wrote for this node')
    .requiredOption('--name <name>', 'name of the node', readDnsName)
    .option('--containerd <socket>', 'socket of containerd; it may appear later', '/run/containerd/containerd.sock')
    .addOption(
      new Option('--listen <address:port>', 'address that serves the logs of containers, and commands in containers')
        .argParser(readEndpoint)
        .default({ host: '0.0.0.0', port: 10_250 }, '0.0.0.0:10250'),
    )
    .option(
      '--advertise <address:port>',
      'address at which the API server reaches --listen, if it differs',
      readEndpoint,
    )
    .option('--node-ip <address>', 'address of this node and its pods; default: the first address that is not loopback')
    .option('--label <key=value...>', 'labels of the node', readLabels)
    .option('--root-dir <folder>', 'folder for volumes and Seccomp profiles', '/var/lib/kubelet')
    .option('--pod-logs-dir <folder>', 'folder for the logs of containers', '/var/log/pods')
    .addOption(
      new Option(
        '--network <kind>',
        "network of pods: host = the node's network; cni = one for each pod, from the runtime's CNI plugins",
      )
        .choices(['host', 'cni'])
        .default('host'),
    )
  logOptions(node)
    .addHelpText('after', `${untilSignal}\nPods keep running without it, and its next start finds them again.`)
    .action(async (given) => {
      const { sandboxNodeCommand } = await import('./sandbox-node-command.ts')
      await end(sandboxNodeCommand(given))
    })
}
