import type { Command } from 'commander'
import { agentOptions } from '../options/agent.ts'
import { managerOptions } from '../options/manager.ts'
import { uninstallOptions } from '../options/uninstall.ts'
import { addOptions } from './add-options.ts'

export const untilSignal = `
SIGTERM or SIGINT stops it in order; a second signal stops it at once. SIGUSR1 logs its status.
Exit status: 0 a signal stopped it; 1 it could not start, continue or stop in time; 2 misuse.`

export function addManager(varmor: Command): void {
  const manager = varmor
    .command('manager')
    .description('compile the policies of a cluster into profiles, track how nodes load them, and confine pods in them')
  addOptions(manager, managerOptions)
    .addHelpText('after', untilSignal)
    .action(async (given) => {
      const { managerCommand } = await import('./manager-command.ts')
      await end(managerCommand(given))
    })
}

export function addAgent(varmor: Command): void {
  const agent = varmor
    .command('agent')
    .description('load the profiles of a cluster, or of a folder of policies, on this node, and log its violations')
  addOptions(agent, agentOptions)
    .addHelpText('after', untilSignal)
    .action(async (given) => {
      const { agentCommand } = await import('./agent-command.ts')
      await end(agentCommand(given))
    })
}

export function addUninstall(varmor: Command): void {
  const command = varmor
    .command('uninstall')
    .description(
      'remove everything vArmor created in the cluster, whether or not its managers still run. `helm uninstall` runs this',
    )
  addOptions(command, uninstallOptions)
    .addHelpText(
      'after',
      '\nExit status: 0 done; 1 the cluster refuses or does not answer; 2 misuse, vArmor is in another namespace, or Helm did not install it.',
    )
    .action(async (given) => {
      const { uninstallCommand } = await import('./uninstall-command.ts')
      await end(uninstallCommand(given))
    })
}

/** Ends the process with the exit status of a role. */
export async function end(running: Promise<number>): Promise<void> {
  const [status, { endWith }] = [await running, await import('./role.ts')]
  endWith(status)
}
