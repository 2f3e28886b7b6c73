import type { KubeConfig } from '@kubernetes/client-node'
import { ConfigError, loadConfig } from '../kube/config.ts'
import type { SandboxNodeArguments } from '../options/sandbox.ts'
import { runSandboxNode, type SandboxNode } from '../sandbox/kubelet/run-sandbox-node.ts'
import { printable } from './output.ts'
import { type Role, runRole } from './role.ts'
import { roleLogger } from './role-logger.ts'

/** Runs a node of a sandbox until SIGTERM or SIGINT. Returns the exit status. */
export async function sandboxNodeCommand(given: SandboxNodeArguments): Promise<number> {
  const config = configOf(given.kubeconfig)
  if (config === undefined) return 1
  const logger = roleLogger({ format: given.logFormat, verbosity: given.verbosity })
  return runRole(new SandboxNodeRole(given, config, logger), { name: 'sandbox node', logger, signals: process })
}

function configOf(kubeconfig: string): KubeConfig | undefined {
  try {
    return loadConfig({ kubeconfig })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`error: ${printable(error.message)}\n`)
    return undefined
  }
}

class SandboxNodeRole implements Role {
  readonly #given: SandboxNodeArguments
  readonly #config: KubeConfig
  readonly #logger: ReturnType<typeof roleLogger>
  #starting: Promise<SandboxNode> | undefined
  readonly #stop = new AbortController()

  constructor(given: SandboxNodeArguments, config: KubeConfig, logger: ReturnType<typeof roleLogger>) {
    this.#given = given
    this.#config = config
    this.#logger = logger
  }

  async start(): Promise<void> {
    const { name, containerd, listen, advertise, nodeIp, label, rootDir, podLogsDir, network } = this.#given
    this.#starting = runSandboxNode({
      ...{ config: this.#config, name, containerd, listen, network, logger: this.#logger },
      ...{ root: rootDir, podLogs: podLogsDir, signal: this.#stop.signal },
      ...(advertise !== undefined && { advertise }),
      ...(nodeIp !== undefined && { address: nodeIp }),
      ...(label !== undefined && { labels: label }),
    })
    const { port } = await this.#starting
    if (!this.#stop.signal.aborted) this.#logger.info({ node: name, port }, 'the node is ready')
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('The sandbox node is stopping'))
    const node = await this.#starting?.catch(() => undefined)
    await node?.stop()
  }
}
