import type { Command } from 'commander'
import { sandboxNodeOptions, sandboxOptions } from '../options/sandbox.ts'
import { addOptions } from './add-options.ts'
import { end, untilSignal } from './roles.ts'

export function addSandbox(varmor: Command): void {
  const sandbox = varmor
    .command('sandbox')
    .description(
      'run a cluster with vArmor in this process: an API server for kubectl, a manager, and nodes that only record profiles',
    )
  addOptions(sandbox, sandboxOptions)
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
  addOptions(node, sandboxNodeOptions)
    .addHelpText('after', `${untilSignal}\nPods keep running without it, and its next start finds them again.`)
    .action(async (given) => {
      const { sandboxNodeCommand } = await import('./sandbox-node-command.ts')
      await end(sandboxNodeCommand(given))
    })
}
