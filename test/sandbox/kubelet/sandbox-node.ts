import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { noLogger } from '../../../src/base/logger.ts'
import type { KubeObject } from '../../../src/kube/objects.ts'
import { defineResource } from '../../../src/kube/resources.ts'
import type { Pod } from '../../../src/sandbox/controllers/objects.ts'
import { readLog } from '../../../src/sandbox/kubelet/container-log.ts'
import { runSandboxNode, type SandboxNode } from '../../../src/sandbox/kubelet/run-sandbox-node.ts'
import { Sandbox } from '../../../src/sandbox/sandbox.ts'
import { eventually } from '../../cluster/wait.ts'
import { image, needsContainers, RealNode } from './real-node.ts'

export const pods = defineResource({ group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true })

/** A container that runs a script. */
export const shell = (script: string, more: object = {}): object => ({
  name: 'main',
  image,
  command: ['sh', '-c', script],
  ...more,
})

/** A sandbox whose one node has a real containerd, for the tests of a `describe`. */
export function withSandboxNode() {
  let real: RealNode
  let sandbox: Sandbox
  let node: SandboxNode | undefined
  let problems: string[]
  const logger = {
    info: () => undefined,
    warn: (context: object, message: string) => problems.push(`${message} ${JSON.stringify(context)}`),
  }

  before(async function () {
    needsContainers(this)
    real = new RealNode()
    await real.start()
    sandbox = await Sandbox.start({ nodes: 0, logger: noLogger })
    await startNode()
  })
  after(async () => {
    await node?.stop()
    await sandbox?.stop()
    await real?.dispose()
  })
  beforeEach(() => {
    problems = []
  })

  let config: KubeConfig | undefined
  const startNode = async (): Promise<void> => {
    if (config === undefined) {
      config = new KubeConfig()
      config.loadFromString((await sandbox.admitNode('kernel')).kubeconfig)
    }
    node = await runSandboxNode({
      ...{ config, name: 'kernel', containerd: real.socket, logger, address: '127.0.0.1' },
      ...{ root: real.root, podLogs: real.podLogs, listen: { host: '127.0.0.1', port: 0 } },
    })
  }
  const stopNode = async (): Promise<void> => {
    await node?.stop()
    node = undefined
  }
  const create = (name: string, spec: object, metadata: object = {}): Promise<KubeObject> => {
    const usual = { terminationGracePeriodSeconds: 1, automountServiceAccountToken: false, ...spec }
    return sandbox.client.create(pods, {
      metadata: { name, namespace: 'default', ...metadata },
      spec: usual,
    } as KubeObject)
  }
  const get = async (name: string): Promise<Pod> =>
    (await sandbox.client.get(pods, { name, namespace: 'default' })) as unknown as Pod
  const until = (name: string, what: string, is: (pod: Pod) => boolean): Promise<Pod> =>
    eventually(`pod ${name}: ${what}`, async () => {
      const pod = await get(name)
      return is(pod) && pod
    }).catch(async (error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify((await get(name)).status)} ${problems.join('\n')}`)
    })
  const running = (name: string): Promise<Pod> =>
    until(name, 'ready', ({ status }) => status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True')
  const remove = async (name: string): Promise<void> => {
    await sandbox.client.delete(pods, { name, namespace: 'default' })
    await eventually(`pod ${name} to go`, async () => {
      const { items } = await sandbox.client.list(pods, { namespace: 'default' })
      return items.every(({ metadata }) => metadata?.name !== name)
    })
  }
  const logOf = async (name: string): Promise<string> => {
    const [folder] = readdirSync(real.podLogs).filter((one) => one.includes(`_${name}_`))
    const chunks: Uint8Array[] = []
    for await (const chunk of readLog(join(real.podLogs, folder!, 'main/0.log'))) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  }
  return {
    get real() {
      return real
    },
    get sandbox() {
      return sandbox
    },
    get port() {
      return node?.port
    },
    ...{ startNode, stopNode, create, get, until, running, remove, logOf },
  }
}
