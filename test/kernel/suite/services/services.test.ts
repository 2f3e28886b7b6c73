import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { buildProfile } from '../../../../actors/model/build-profile.ts'
import { Collector } from '../../../../actors/modeller/collector.ts'
import { notedFacts } from '../../../../src/agent/containers/noted-facts.ts'
import { processFacts, type ReadProcessFacts } from '../../../../src/agent/containers/process-facts.ts'
import { Lineage } from '../../../../src/agent/violations/lineage.ts'
import type { KernelEnforcer } from '../../../../src/api/enforcer.ts'
import type { DynamicResult, Policy, Profile, VarmorPolicy } from '../../../../src/api/types.ts'
import { noLogger } from '../../../../src/base/logger.ts'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { output } from '../../../cluster/command.ts'
import { openEnforcer } from '../bpf/enforcer.ts'
import { Confiner } from '../harness/confined.ts'
import { linuxVersion } from '../harness/kernel-release.ts'
import { compiled, identityOf } from '../harness/profiles.ts'
import { reportsRefusals, seccompOptions } from '../harness/seccomp-reports.ts'
import { type Violation, Violations } from '../harness/violations.ts'
import { type Attack, attacks, isReport, type Reports, whyUnseen } from './attacks.ts'
import { Clients, neighbour, overtake, Served, tokenFolder } from './served.ts'
import { chosenServices, type Service } from './services.ts'
import { type Ending, type OfKernel, readShown, tableOfAttacks, tableOfServices } from './shown.ts'

const enforcers: readonly KernelEnforcer[] = ['AppArmor', 'BPF', 'Seccomp']
/**
 * How long a workload is recorded, in seconds; the default is as in CI, which sets no variable. The recording includes
 * one restart of the workload.
 */
const recordedSeconds = Number(
  process.env['VARMOR_SERVICES_SECONDS'] ?? (process.env['VARMOR_SERVICES'] === undefined ? 20 : 120),
)

const policyOf = ({ name }: Service, policy: Policy): VarmorPolicy => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name, namespace: 'demo' },
  spec: { target: { kind: 'Deployment', name }, policy },
})
const recording = (service: Service): VarmorPolicy =>
  policyOf(service, { enforcer: 'AppArmorBPFSeccomp', mode: 'BehaviorModeling', modelingOptions: { duration: 2 } })
const enforcing = (service: Service, enforcer: KernelEnforcer, allowViolations = false): VarmorPolicy => {
  const profileType = 'BehaviorModel'
  const defenseInDepth = {
    AppArmor: { appArmor: { profileType } },
    BPF: { bpf: { profileType } },
    Seccomp: { seccomp: { profileType } },
  } as const
  return policyOf(service, {
    enforcer,
    mode: 'DefenseInDepth',
    defenseInDepth: { ...defenseInDepth[enforcer], allowViolations },
  })
}

/** Models of another node, by service: the output of a run there with VARMOR_SERVICES_PRINT. */
type Models = Record<string, { result: DynamicResult; profile: Profile }>
const packed = (models: Models): string => gzipSync(JSON.stringify(models)).toString('base64')
const unpacked = (text: string): Models => JSON.parse(gunzipSync(Buffer.from(text, 'base64')).toString()) as Models
const given: Models = Object.assign(
  {},
  ...(process.env['VARMOR_SERVICES_MODELS'] ?? packed({})).split(',').map(unpacked),
)

/** A profile name that is not vArmor's, so that its records are ignored. */
const forgetful = 'test-forgetful'

describe('services, of which all is forbidden but what was recorded', function () {
  this.timeout(1_800_000)
  let bpf: BpfEnforcer
  let clients: Clients
  let violations: Violations
  /** Attributes the records of a child that ends at once to its container, as in an agent. */
  let lineage: Lineage
  let facts: ReadProcessFacts
  let confiner: Confiner
  const kernel = linuxVersion()
  const seenNow: Record<string, OfKernel> = {}
  const collectors = new Map<string, Collector>()
  let records = 0

  before(async () => {
    await output('containerd-up', [])
    mkdirSync(tokenFolder, { recursive: true })
    writeFileSync(join(tokenFolder, 'token'), 'secret\n', { mode: 0o644 })
    const input = `profile ${forgetful} flags=(attach_disconnected,complain) {\n}\n`
    await output('apparmor_parser', ['--skip-cache', '--replace'], { input })
    bpf = await openEnforcer({ ringBytes: 1 << 24 })
    clients = await Clients.start()
    lineage = new Lineage({ logger: noLogger })
    await lineage.start()
    if (lineage.forks === undefined) throw new Error(JSON.stringify(lineage.status))
    facts = notedFacts(processFacts(), lineage.forks)
    violations = await Violations.start(
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
    confiner = new Confiner(bpf, violations)
    expect(await bpf.find()).to.be.instanceOf(Map)
  })
  after(async () => {
    await clients?.stop()
    await violations?.stop()
    lineage?.close()
    await bpf?.end()
    // The result of all attacks can be written to shown.json, the source of the tables in the documents.
    console.log(['', tableOfServices(seenNow), tableOfAttacks(seenNow), JSON.stringify(seenNow), ''].join('\n'))
  })

  /**
   * AppArmor remembers, for each CPU, the profile of the last capability record and the capabilities in that profile's
   * records. It does not repeat them until another profile has a record, so another profile asks for a capability in
   * between.
   */
  const forget = async (): Promise<void> => {
    for (const processor of ['1', '2']) {
      const enter = `printf %s 'exec ${forgetful}' > /proc/self/attr/exec`
      await output('sh', ['-c', `${enter}; exec busybox taskset ${processor} chroot / true`])
    }
  }

  /** Number of lines that `news` has returned. */
  let seen = 0
  const news = (): Violation[] => {
    const lines = violations.all.slice(seen)
    seen += lines.length
    return lines
  }
  /** Waits until no line has arrived for a while, however slow the machine is. */
  const quiet = async (count: () => number): Promise<void> => {
    for (let before = -1; before !== count(); ) {
      before = count()
      await pause(3_000)
    }
  }

  async function record(service: Service) {
    const policy = recording(service)
    const made = compiled(policy)
    const { profileName } = made
    const collector = new Collector()
    collectors.set(profileName, collector)
    await confiner.load(policy, made, service.name)
    const name = `${service.name}-recorded`
    const served = await Served.start(name, service, clients, await confiner.confinement(name, made))
    await know(served)
    await served.isReady()
    const begin = performance.now()
    let rounds = 0
    for (const share of [0.5, 1]) {
      if (share === 1) await again(served)
      for (let first = true; first || performance.now() < begin + recordedSeconds * 1_000 * share; first = false) {
        await served.round()
        rounds += 1
      }
    }
    await served.end()
    await quiet(() => records)
    await served.remove()
    await bpf.remove(served.id)
    const { result, leftOut } = collector.state()
    return { built: buildProfile(result, { name: profileName, enforcer: 'AppArmorBPFSeccomp' }), rounds, leftOut }
  }

  const know = async (served: Served): Promise<void> => {
    violations.expect([served.info])
    await facts(served.pid, served.id)
  }

  const again = async (served: Served): Promise<void> => {
    await served.end()
    await served.begin()
    await know(served)
    await served.isReady()
  }

  for (const service of chosenServices())
    describe(service.title, () => {
      let model: DynamicResult
      let profile: Profile

      const known = given[service.name]
      if (known !== undefined)
        it('has been recorded on another node', () => {
          ;({ result: model, profile } = known)
        })
      else
        it(`is recorded for ${recordedSeconds} s, with nothing to report`, async () => {
          const { built, rounds, leftOut } = await record(service)
          expect(leftOut).to.deep.equal([])
          if (!built.ok) throw new Error(built.problem)
          ;({ result: model, profile } = built)
          if (process.env['VARMOR_SERVICES_PRINT'] !== undefined)
            console.log(`models: ${packed({ [service.name]: { result: model, profile } })}`)
          const { appArmor: { files = [], executions = [] } = {}, seccomp: { syscalls = [] } = {} } = model
          console.log(
            `      ${rounds} rounds: ${executions.length} programs, ${files.length} files, ${syscalls.length} system calls`,
          )
          // The check also covers lines about losses.
          expect(news().map(({ event, message }) => ({ message, ...event }))).to.deep.equal([])
          expect(bpf.counters().ringFull).to.equal(0)
        })

      for (const enforcer of enforcers)
        describe(enforcer, () => {
          let served: Served
          let allowedCalls: ReadonlySet<string>
          const endings = new Map<Attack, Ending>()
          const isReported = enforcer !== 'Seccomp' || reportsRefusals
          let beside: Awaited<ReturnType<typeof neighbour>>

          /** Starts a container under the profile that the policy and the model give. */
          const start = async (name: string, policy: VarmorPolicy) => {
            const made = compiled(policy, {
              ...seccompOptions,
              model: { appArmor: profile.appArmor!, seccomp: profile.seccomp!, bpf: model.bpf! },
            })
            await confiner.load(policy, made)
            const started = await Served.start(name, service, clients, await confiner.confinement(name, made))
            violations.expect([started.info])
            return { made, started }
          }
          before('is enforced', async () => {
            const { made, started } = await start(`${service.name}-${enforcer}`, enforcing(service, enforcer))
            served = started
            allowedCalls = new Set(
              made.enforcers.Seccomp?.profile.syscalls?.flatMap(({ names, action }) =>
                action === 'SCMP_ACT_ALLOW' ? names : [],
              ),
            )
          })
          after(async () => {
            beside?.process.kill()
            await served?.remove()
            await bpf.remove(served?.id ?? '')
            // A service with children may have looked at the neighbour process, so the test waits for such lines.
            await quiet(() => violations.all.length)
            news()
          })
          afterEach(function () {
            if (this.currentTest?.state === 'failed') console.log(news().map(({ event }) => event))
          })

          const noDenial = async (): Promise<void> => {
            await quiet(() => violations.all.length)
            const found = news().map(({ event }) => event)
            expect(found, JSON.stringify(found.slice(0, 5))).to.deep.equal([])
          }

          it('lets the same workload through in another container', async () => {
            await served.isReady()
            for (let round = 0; round < 2; round++) await served.round()
            await noDenial()
          })

          it('and after a restart', async () => {
            await again(served)
            await served.round()
            await noDenial()
          })

          // The kernel reports the calls that such a filter allows, not the calls that it refuses.
          if (enforcer === 'Seccomp')
            it('and refuses no system call that the service needs', async () => {
              const { started } = await start(`${service.name}-watched`, enforcing(service, enforcer, true))
              await started.isReady()
              await started.round()
              await started.end()
              await noDenial()
              await started.remove()
            })

          for (const attack of attacks)
            it(`refuses${isReported ? ' and reports' : ''} ${attack.what}`, async function () {
              beside ??= await neighbour(served.pid)
              // The attack would succeed, and might replace the service by a shell.
              if (whyUnseen(attack, enforcer, model, allowedCalls) !== undefined) {
                endings.set(attack, '-')
                return this.skip()
              }
              const outcome = await attempt(attack)
              if (outcome.refused) endings.set(attack, outcome.reported ? 'R' : 'r')
              expect(outcome.refused, outcome.text).to.equal(true)
              if (isReported) expect(outcome.reported, JSON.stringify(outcome.events)).to.equal(true)
            })

          it('as the documents say', function () {
            const found = attacks.map((attack) => endings.get(attack) ?? '?').join('')
            seenNow[kernel] ??= {}
            seenNow[kernel][service.name] = { ...seenNow[kernel][service.name], [enforcer]: found }
            const said = readShown()[kernel]
            // The documents' results are for two kernels and for a runc that accepts flags.
            if (said === undefined || !isReported) this.skip()
            expect(found).to.equal(said[service.name]?.[enforcer])
          })

          async function attempt(attack: Attack) {
            if (enforcer === 'AppArmor') await forget()
            const words = attack.words(service, beside.number)
            // The enforcer would also refuse to trace the process, so the binding is removed while the process is
            // stopped.
            const bound =
              enforcer === 'BPF'
                ? { id: served.id, profile: identityOf(enforcing(service, enforcer)).profileName }
                : undefined
            if (bound !== undefined) await bpf.add({ ...bound, profile: '' })
            const { status, stdout, stderr } = await overtake(clients, served.pid, words, async () => {
              if (bound !== undefined) await bpf.add(bound)
            })
            if (status !== 0 && status !== 1) throw new Error(`overtake ${words.join(' ')}: ${status} ${stderr}`)
            const refused = status === 1
            const ofCalls = (): Reports => attack.calls.map((syscall) => ({ syscall }))
            const reports = { AppArmor: attack.appArmor, BPF: attack.bpf, Seccomp: ofCalls }[enforcer](service)
            const isIt = (line: Violation) => isReport(line, reports)
            const found = await violations.after(seen, (all) => all.some(isIt), refused && isReported ? 30_000 : 1_000)
            const reported = found.some(isIt)
            const events = news().map(({ event }) => event)
            return { refused, reported, text: `${stdout}${stderr}`, events }
          }
        })
    })
})
