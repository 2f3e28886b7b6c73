import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { denial, namesIn } from '../../audit/pipeline-world.ts'
import { VARMOR } from '../../cli/run.ts'

export interface CrashRun {
  lines: number
  kills: number
  /** Lines that were written more than once. */
  doubles: number
  /** Maximum number of repeated lines after one kill. */
  maxDoubles: number
  missing: number
  /** Lines that are not JSON. */
  torn: number
}

const root = join(import.meta.dirname, '../../..')

/** Starts the agent over `folder/audit.log`, and waits until it logs that it runs. */
export async function startAgent(folder: string, args: readonly string[] = []): Promise<ChildProcess> {
  const containers = join(folder, 'containers.json')
  if (!existsSync(containers)) writeFileSync(containers, '{}')
  const paths = ['--containers', containers, '--log', join(folder, 'log', 'violations.log')]
  const input = ['--auditLogPaths', join(folder, 'audit.log'), '--from-start']
  const program = [...VARMOR, 'agent', '--audit-only']
  const agent = spawn(process.execPath, [...program, ...paths, ...input, ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  await new Promise<void>((resolve, reject) => {
    agent.stderr?.on('data', (data) => {
      said += String(data)
      if (said.includes('the agent is running')) resolve()
    })
    agent.on('exit', () => reject(new Error(`the agent did not start: ${said}`)))
  })
  return agent
}

/**
 * Stops the agent as Kubernetes does.
 * @returns its exit status
 */
export async function stopAgent(agent: ChildProcess): Promise<number | null> {
  if (agent.exitCode !== null) return agent.exitCode
  agent.kill('SIGTERM')
  await once(agent, 'exit')
  return agent.exitCode
}

/** All lines that the agent has written, oldest first. */
export function logOf(folder: string): string {
  const log = join(folder, 'log')
  const names = existsSync(log) ? readdirSync(log).filter((name) => name.startsWith('violations.log')) : []
  const files = names.sort((a, b) => b.localeCompare(a))
  return files.map((file) => readFileSync(join(log, file), 'utf8')).join('')
}

/**
 * Kills the agent repeatedly while its audit log grows, then lets it end normally.
 * @param onKill called with the number of kills so far
 */
export async function crashRun(
  folder: string,
  kills: number,
  random: () => number,
  onKill: (kills: number) => void = () => undefined,
): Promise<CrashRun> {
  mkdirSync(folder, { recursive: true })
  const audit = join(folder, 'audit.log')
  writeFileSync(audit, '')
  let lines = 0
  const write = (): void => {
    const count = Math.floor(random() * 4)
    // This process runs in no container, so its events do not wait for a container.
    const now = Math.floor(Date.now() / 1000)
    for (let i = 0; i < count; i++) appendFileSync(audit, denial(`/n/${lines++}`, process.pid, now))
  }
  // Slow enough that the log keeps the lines of all 100 kills.
  const writing = setInterval(write, 20)
  let before: string[] = []
  let maxDoubles = 0
  for (let kill = 0; kill < kills; kill++) {
    const agent = await startAgent(folder)
    await pause(random() * 600)
    agent.kill('SIGKILL')
    await once(agent, 'exit')
    const names = namesIn(withoutTorn(logOf(folder)))
    const again = new Set(before)
    maxDoubles = Math.max(maxDoubles, names.slice(before.length).filter((name) => again.has(name)).length)
    before = names
    onKill(kill + 1)
  }
  const agent = await startAgent(folder)
  await pause(300)
  clearInterval(writing)
  await stopAgent(agent)
  const log = logOf(folder)
  const names = namesIn(withoutTorn(log))
  const there = new Set(names)
  let missing = 0
  for (let i = 0; i < lines; i++) if (!there.has(`/n/${i}`)) missing++
  const torn = log.split('\n').filter((line) => line !== '' && !isJson(line)).length
  return { lines, kills, doubles: names.length - there.size, maxDoubles, missing, torn }
}

const withoutTorn = (log: string): string => log.slice(0, log.lastIndexOf('\n') + 1)

function isJson(line: string): boolean {
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}
