import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Cri } from '../../../src/sandbox/kubelet/cri.ts'
import { containerConfig, logFolder, sandboxConfig } from '../../../src/sandbox/kubelet/pod-requests.ts'
import { eventually } from '../../cluster/wait.ts'
import { containerOf, podOf } from '../../sandbox/kubelet/pods.ts'
import { busyboxImage } from '../images/names.ts'

/** The program's one argument, as JSON. */
export interface Orders {
  /** Name of the pod, in the namespace `default`. */
  name: string
  uid: string
  containers: number
  /** Command of each container. */
  script: string
}

/** Number of containers that start at the same time. */
const atOnce = 2

/**
 * Runs a pod over CRI as a kubelet does. Prints `started` when all containers have started, and their exit statuses
 * when all have ended.
 */
async function run({ name, uid, containers, script }: Orders): Promise<void> {
  const cri = new Cri('/run/containerd/containerd.sock')
  const options = { podLogs: '/var/log/pods', seccompRoot: '', ownNetwork: false }
  const all = Array.from({ length: containers }, (_, i) =>
    containerOf({ name: `c${i}`, image: busyboxImage, command: ['/bin/sh', '-c', script] }),
  )
  const pod = podOf({ containers: all }, { name, uid, namespace: 'default' })
  const sandbox = sandboxConfig(pod, 0, options)
  const sandboxID = await cri.runSandbox(sandbox)
  const image = await cri.image(busyboxImage, 'Never', sandbox)
  const ids: string[] = []
  const waiting = [...all]
  const startOnes = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      mkdirSync(`${logFolder(options.podLogs, pod)}/${one.name}`, { recursive: true })
      const config = containerConfig(pod, one, { attempt: 0, image, environment: new Map(), mounts: [] }, options)
      const id = await cri.createContainer(sandboxID, config, sandbox)
      await cri.startContainer(id)
      ids.push(id)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, startOnes))
  console.log('started')
  const ended = ids.map((id) =>
    eventually('the end of a container', async () => {
      const status = await cri.status(id)
      return status?.state === 'CONTAINER_EXITED' && status.exitCode
    }),
  )
  console.log(JSON.stringify(await Promise.all(ended)))
  await cri.removeSandbox(sandboxID)
  cri.close()
}

const { positionals } = parseArgs({ allowPositionals: true })
if (positionals[0] !== undefined) await run(JSON.parse(positionals[0]) as Orders)
