import { type Command, Option } from 'commander'
import { readCount, readDnsName, readEndpoint, readLabels, readPort } from './read-option.ts'
import { end, logOptions, untilSignal } from './roles.ts'

export function addSandbox(varmor: Command): void {
  const sandbox = varmor
    .command('sandbox')
    .description(
      'run a cluster with vArmor in this process: an API server for kubectl, a manager, and nodes that record',
    )
    .option('--nodes <count>', 'how many nodes', readCount, 3)
    .option('--port <port>', 'of the API server; default: any that is free, with --data always the same', readPort)
    .option('--data <folder>', 'keep objects, port and kubeconfig here, so that the next run goes on')
  logOptions(sandbox)
    .addHelpText('after', untilSignal)
    .action(async (given) => {
      const { sandboxCommand } = await import('./sandbox-command.ts')
      await end(sandboxCommand(given))
    })
}

/** What a sandbox starts in a virtual machine; a person has no need of it, so the list of commands leaves it out. */
export function addSandboxNode(varmor: Command): void {
  const node = varmor
    .command('sandbox-node', { hidden: true })
    .description('run the pods of one node of a sandbox in the containerd of this machine')
    .requiredOption('--kubeconfig <file>', 'that the sandbox has made for this node')
    .requiredOption('--name <name>', 'of the node', readDnsName)
    .option('--containerd <socket>', 'of the runtime; it need not be there yet', '/run/containerd/containerd.sock')
    .addOption(
      new Option('--listen <address:port>', 'where logs and commands are served')
        .argParser(readEndpoint)
        .default({ host: '0.0.0.0', port: 10_250 }, '0.0.0.0:10250'),
    )
    .option('--advertise <address:port>', 'where the API server reaches that, if it is somewhere else', readEndpoint)
    .option('--node-ip <address>', 'of this node and its pods; default: the first that is not loopback')
    .option('--label <key=value...>', 'of the node', readLabels)
    .option('--root-dir <folder>', 'for volumes; seccomp profiles are below it', '/var/lib/kubelet')
    .option('--pod-logs-dir <folder>', 'for what containers write', '/var/log/pods')
    .addOption(
      new Option('--network <kind>', "of pods: the node's own, or one of each from the runtime's CNI plugins")
        .choices(['host', 'cni'])
        .default('host'),
    )
  logOptions(node)
    .addHelpText('after', `${untilSignal}\nPods go on without it, and are found again.`)
    .action(async (given) => {
      const { sandboxNodeCommand } = await import('./sandbox-node-command.ts')
      await end(sandboxNodeCommand(given))
    })
}
