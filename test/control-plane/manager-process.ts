import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { KubeConfig } from '@kubernetes/client-node'
import { KubeConnection } from '../../src/kube/connection.ts'
import { Manager } from '../../src/manager/manager.ts'
import { eventually } from '../cluster/wait.ts'
import { nodeArguments } from '../run/as-run.ts'
import { managerOptions } from './world.ts'

export interface ManagerProcess {
  readonly statusPort: number
  signal(name: NodeJS.Signals): void
  /** Tells whether the log has a line with the text. */
  says(text: string): boolean
  kill(): Promise<void>
}

/** A manager in a separate process, which signals can stop. Resolves when it leads. */
export async function startManagerProcess(kubeconfig: string): Promise<ManagerProcess> {
  const child = spawn(process.execPath, nodeArguments('./manager-process.ts', import.meta.url), {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let log = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const gone = once(child, 'exit')
  child.stdin.end(kubeconfig)
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await gone
  }
  try {
    await eventually('the process to lead', async () => {
      if (child.exitCode !== null) throw new Error(`it has ended: ${log}`)
      return log.includes('this manager is now the leader')
    })
  } catch (error) {
    await kill()
    throw error
  }
  const statusPort = Number(/"status":(\d+)/.exec(log)?.[1])
  return { statusPort, signal: (name) => void child.kill(name), says: (text) => log.includes(text), kill }
}

async function main(): Promise<void> {
  let kubeconfig = ''
  for await (const text of process.stdin.setEncoding('utf8')) kubeconfig += text
  const config = new KubeConfig()
  config.loadFromString(kubeconfig)
  const print = (fields: object, message: string): void => console.log(JSON.stringify({ message, ...fields }))
  const logger = { debug: print, info: print, warn: print, error: print }
  await new Manager({ ...managerOptions(new KubeConnection(config)), logger, identity: 'sleeper' }).start()
}

if (process.argv[1] === import.meta.filename) await main()
