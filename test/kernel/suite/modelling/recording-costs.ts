/**
 * recording-costs PROGRAM SECONDS ROUNDS ENFORCERS...: runs bench/model/work.c in containers without a recording, and
 * in containers that the given ENFORCERS record, while an agent's pipeline runs. Prints the operations per second, and
 * the numbers of recorded and lost records.
 */
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Collector } from '../../../../actors/modeller/collector.ts'
import { notedFacts } from '../../../../src/agent/containers/noted-facts.ts'
import { processFacts } from '../../../../src/agent/containers/process-facts.ts'
import { Lineage } from '../../../../src/agent/violations/lineage.ts'
import type { VarmorPolicy } from '../../../../src/api/types.ts'
import { noLogger } from '../../../../src/base/logger.ts'
import { output } from '../../../cluster/command.ts'
import { eventually } from '../../../cluster/wait.ts'
import { busyboxImage } from '../../images/names.ts'
import { openEnforcer } from '../bpf/enforcer.ts'
import { Confiner } from '../harness/confined.ts'
import { containerIdOf, firstProcess } from '../harness/container.ts'
import { compiled } from '../harness/profiles.ts'
import { Violations } from '../harness/violations.ts'

const [program = '', seconds = '2', rounds = '3', ...enforcers] = process.argv.slice(2)
/** Enforcers that record in each run; the first run has no recording. */
const ways = ['', ...enforcers]
const ctr = (...words: string[]): Promise<string> => output('ctr', ['-n', 'k8s.io', ...words])

/** Results of one run. */
interface Run {
  way: string
  /** Operations per second, by name. */
  done: Record<string, number>
  /** Records that arrived, and records that the log reports as `lost`. */
  records: number
  lost: number
}

const policyOf = (way: string): VarmorPolicy =>
  ({
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'VarmorPolicy',
    metadata: { name: way.toLowerCase(), namespace: 'demo' },
    spec: {
      target: { kind: 'Deployment', name: way.toLowerCase() },
      policy: { enforcer: way, mode: 'BehaviorModeling', modelingOptions: { duration: 2 } },
    },
  }) as VarmorPolicy

await output('containerd-up', [])
const bpf = await openEnforcer({ ringBytes: 1 << 24 })
const collectors = new Map<string, Collector>()
let records = 0
const lineage = new Lineage({ logger: noLogger })
await lineage.start()
if (lineage.forks === undefined) throw new Error(JSON.stringify(lineage.status))
const facts = notedFacts(processFacts(), lineage.forks)
const violations = await Violations.start(
  [],
  [],
  () => bpf.folder,
  (all) => {
    for (const one of all) {
      collectors.get(one.profileName)?.add(one.found)
      records += one.records
    }
  },
  lineage,
)
const confiner = new Confiner(bpf, violations)

/**
 * Sum of the losses in all lines so far. A loss of unknown number counts as one, and so does a record that came too
 * late to be matched to the workload.
 */
const lost = (): number =>
  violations.all.reduce((sum, line) => {
    const { lost: of } = line as { lost?: { events?: number | null } }
    return sum + (of?.events ?? 1)
  }, 0)

async function quiet(): Promise<void> {
  for (let before = -1; before !== records; ) {
    before = records
    await pause(2_000)
  }
}

async function run(way: string, round: number): Promise<Run> {
  const name = `work-${way}-${round}`
  const id = containerIdOf(name)
  const [recordsBefore, lostBefore] = [records, lost()]
  const flags: string[] = []
  let profile: Awaited<ReturnType<Confiner['confinement']>> | undefined
  if (way !== '') {
    const policy = policyOf(way)
    const made = compiled(policy)
    collectors.set(made.profileName, new Collector())
    await confiner.load(policy, made, way)
    profile = await confiner.confinement(name, made)
    flags.push(...profile.flags)
  }
  const log = `/tmp/${id}.log`
  // The program starts when the pipeline knows its container.
  const mount = `type=bind,src=${dirname(program)},dst=/work,options=rbind:ro`
  const wait = 'while [ ! -e /work/begin ]; do sleep 0.1; done; exec /work/work "$0"'
  await output('rm', ['-f', `${dirname(program)}/begin`])
  const command = ['sh', '-c', wait, seconds]
  await ctr('run', '-d', '--log-uri', `file://${log}`, '--mount', mount, ...flags, busyboxImage, id, ...command)
  const initPid = await firstProcess(id)
  const { profileName = '', bpfNumber } = profile ?? {}
  violations.expect([
    {
      ...{ containerID: id, containerName: 'work', image: busyboxImage, podName: 'work-0', podNamespace: 'demo' },
      ...{ podUID: `uid-${id}`, initPid, mntNsID: 0, profileName, ...(bpfNumber !== undefined && { bpfNumber }) },
    },
  ])
  await facts(initPid, id)
  await output('touch', [`${dirname(program)}/begin`])
  const ended = async () => new RegExp(`^${id}\\s+\\d+\\s+STOPPED`, 'm').test(await ctr('task', 'ls'))
  await eventually('the work to end', ended, 600_000)
  await quiet()
  const done = Object.fromEntries(
    readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([what, often]) => [what, Number(often)]),
  )
  await ctr('task', 'delete', '--force', id).catch(() => undefined)
  await ctr('container', 'delete', id)
  await bpf.remove(id)
  return { way, done, records: records - recordsBefore, lost: lost() - lostBefore }
}

const runs: Run[] = []
for (let round = 0; round < Number(rounds); round++) for (const way of ways) runs.push(await run(way, round))
await violations.stop()
lineage.close()
await bpf.end()
console.log(JSON.stringify(runs))
