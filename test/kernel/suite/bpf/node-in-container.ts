import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { result } from '../../../cluster/command.ts'
import { openEnforcer } from './enforcer.ts'

/** The program's task, from its only argument, which is JSON. */
export interface NodeOrders {
  id: string
  profileName: string
  content: string
  /** Paths of the container's cgroup, as the kernel sees them: one for each start of the container. */
  cgroups: readonly string[]
}

/**
 * The first process of a node that runs in a container itself, with an agent's BPF enforcer. It starts a container that
 * reads two files, and prints the container's output.
 */
async function run({ id, profileName, content, cgroups }: NodeOrders): Promise<void> {
  const enforcer = await openEnforcer()
  await enforcer.load(profileName, content)
  await enforcer.add({ id, profile: profileName })
  const outputs: { stdout: string; stderr: string }[] = []
  for (const cgroup of cgroups) {
    mkdirSync(cgroup, { recursive: true })
    // One program reads both files: each program in a mount namespace of its own would be a container of its own.
    const script = `echo $$ > ${cgroup}/cgroup.procs && exec unshare -m cat /etc/passwd /etc/group`
    const { stdout, stderr } = await result('sh', ['-c', script])
    outputs.push({ stdout, stderr })
  }
  console.log(JSON.stringify(outputs))
  await enforcer.end()
}

const { positionals } = parseArgs({ allowPositionals: true })
if (positionals[0] !== undefined) await run(JSON.parse(positionals[0]) as NodeOrders)
