import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { result } from '../../../cluster/command.ts'
import { openEnforcer } from './enforcer.ts'

/** The program's task, from its only argument, which is JSON. */
export interface NodeOrders {
  id: string
  profileName: string
  content: string
  /** Path of the container's cgroup, as the kernel sees it. */
  cgroup: string
}

/**
 * The first process of a node that runs in a container itself, with an agent's BPF enforcer. It starts a container, and
 * prints what the container may read.
 */
async function run({ id, profileName, content, cgroup }: NodeOrders): Promise<void> {
  const enforcer = await openEnforcer()
  await enforcer.load(profileName, content)
  await enforcer.add({ id, profile: profileName })
  mkdirSync(cgroup, { recursive: true })
  const read = async (path: string): Promise<string> => {
    const script = `echo $$ > ${cgroup}/cgroup.procs && exec unshare -m cat ${path}`
    const { status, stderr } = await result('sh', ['-c', script])
    return status === 0 ? 'read' : /not permitted/.test(stderr) ? 'refused' : stderr
  }
  console.log(JSON.stringify({ forbidden: await read('/etc/passwd'), allowed: await read('/etc/group') }))
  await enforcer.end()
}

const { positionals } = parseArgs({ allowPositionals: true })
if (positionals[0] !== undefined) await run(JSON.parse(positionals[0]) as NodeOrders)
