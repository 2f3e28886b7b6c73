/**
 * Measures an installation's resources at rest: the bundled roles, each in its own process, with an API server in this
 * process. The agent has neither containerd nor profiles.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { KubeConfig } from '@kubernetes/client-node'
import { Option } from 'commander'
import { IDLE } from '../../actors/compiler/compiler-pool.ts'
import { buildBundles } from '../../deploy/build-bundles.ts'
import { ApiClient } from '../../src/kube/client.ts'
import { KubeConnection } from '../../src/kube/connection.ts'
import { PriorityLimiter } from '../../src/kube/limiter.ts'
import { nodes } from '../../src/manager/cluster-resources.ts'
import { startApiServer } from '../../src/sandbox/api-server/start-api-server.ts'
import { agentToken, install } from '../../src/sandbox/install.ts'
import { chartValues, imageEnvironment } from '../as-installed.ts'
import { countOption, progress, readOptions } from '../bench.ts'
import { load, processCost } from '../control-plane/process-cost.ts'

const { seconds, node, ...options } = readOptions<{ seconds: number; node: string; flags: string[] }>({
  command: 'npm run bench:install --',
  about:
    'measure memory, start time and idle CPU of a manager and an agent, with the settings of the chart and the image',
  options: [
    countOption('--seconds <count>', 'seconds to observe each idle role', 30),
    new Option('--node <path>', 'Node.js to use').default(process.execPath),
    new Option('--flags <flag...>', 'flags of Node.js, in addition to the flags of the chart').default([]),
  ],
})

interface Started {
  pid: number
  output: () => string
  /** Milliseconds until the role reported readiness. */
  ready: number
  end: () => Promise<void>
}

const folder = mkdtempSync(join(tmpdir(), 'varmor-bench-install-'))
const at = (...path: string[]): string => join(folder, ...path)

/** Starts a role as the image and the chart do, and waits for the log text that shows that it serves requests. */
async function start(role: keyof typeof chartValues, args: readonly string[], words: string): Promise<Started> {
  const began = performance.now()
  const env = {
    ...{ ...process.env, ...imageEnvironment, NODE_OPTIONS: chartValues[role].nodeOptions },
    ...{ POD_NAMESPACE: '', NODE_NAME: 'n1' },
  }
  const child = spawn(node, [...options.flags, at('bundles', 'varmor.js'), role, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let text = ''
  let ready: number | undefined
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (more: string) => {
      text += more
      if (ready === undefined && text.includes(words)) ready = performance.now() - began
    })
  while (ready === undefined) {
    if (child.exitCode !== null) throw new Error(`it ended: ${text}`)
    await pause(5)
  }
  const end = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
  }
  return { pid: child.pid!, output: () => text, ready, end }
}

/** Prints a role's resources while it is idle. */
async function atRest(name: string, { pid, ready }: Started): Promise<void> {
  // Wait until the work after the start is done, idle threads have ended, and V8 has freed memory.
  await pause(IDLE + 30_000)
  const before = processCost(pid)
  await pause(seconds * 1_000)
  const after = processCost(pid)
  const idle = ((after.cpu - before.cpu) / seconds) * 100
  const memory = `${after.rss.toFixed(0)} MiB when idle, maximum ${after.peak.toFixed(0)} MiB`
  progress(
    `${name}: ready after ${(ready / 1000).toFixed(2)} s; ${memory}; ${idle.toFixed(2)} % of a CPU (load ${load().toFixed(1)})`,
  )
}

try {
  await buildBundles(at('bundles'))
  const api = await startApiServer()
  writeFileSync(at('kubeconfig'), api.kubeconfig, { mode: 0o600 })
  const config = new KubeConfig()
  config.loadFromString(api.kubeconfig)
  const connection = new KubeConnection(config)
  const client = new ApiClient({ connection, limiter: new PriorityLimiter({ qps: 1000, burst: 1000 }) })
  await install(client, 'varmor')
  const { metadata } = await client.create(nodes, { metadata: { name: 'n1', labels: { 'kubernetes.io/os': 'linux' } } })
  writeFileSync(at('token'), await agentToken(client, 'varmor', { name: 'n1', uid: metadata?.uid ?? '' }), {
    mode: 0o600,
  })
  writeFileSync(at('audit.log'), '')
  mkdirSync(at('seccomp'))
  progress('bundles built, API server started')
  const common = ['--kubeconfig', at('kubeconfig'), '--logFormat', 'json']
  const manager = await start(
    'manager',
    [
      ...[...common, '--token-audience', '', '--webhook-url', 'https://127.0.0.1', '--host', '127.0.0.1'],
      ...['--webhook-port', '0', '--status-port', '0', '--shutdown-delay', '0'],
    ],
    'the manager is running',
  )
  const status = /"status":(\d+)/.exec(manager.output())?.[1]
  const agent = await start(
    'agent',
    [
      ...[...common, '--manager', `https://127.0.0.1:${status}`, '--token-file', at('token')],
      ...['--seccomp-dir', at('seccomp'), '--apparmor-dir', at('apparmor'), '--containerd', at('none.sock')],
      ...['--auditLogPaths', at('audit.log'), '--log', at('log', 'violations.log')],
      ...['--readiness-host', '127.0.0.1', '--readiness-port', '0'],
    ],
    'the agent is running',
  )
  await atRest('manager', manager)
  await atRest('agent', agent)
  await agent.end()
  await manager.end()
  await client.close()
  await api.close()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
