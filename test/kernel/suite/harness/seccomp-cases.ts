import { join } from 'node:path'
import { expect } from 'chai'
import { refusedCalls } from '../../../../src/agent/containers/refused-calls.ts'
import { kubeletSeccompFolder, SeccompLoader } from '../../../../src/enforcer/seccomp.ts'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { type Command, Container } from './container.ts'
import { type Errno, messages } from './errno.ts'
import { expectLoggedCall, type LoggedCall } from './expected-violation.ts'
import { compiled, identityOf, type Mode, policyOfRule } from './profiles.ts'
import { noteCase, noteResults } from './rules-shown.ts'
import { reportsRefusals, seccompFlags, seccompOptions } from './seccomp-reports.ts'
import { Violations } from './violations.ts'

export interface SyscallAttack {
  attack: Command
  errno: Errno
  /** The report of a refused or allowed call. */
  event: LoggedCall
  /** Allowed calls are not reported, because the call is too common. */
  isCommon?: true
  /** The reason to skip the case on this kernel. */
  skip?: string | undefined
}

/** One built-in rule that Seccomp enforces. */
export interface SeccompCase {
  rule: string
  /** Rules with the same filter, which need no separate containers. */
  alike?: readonly string[]
  attacks: readonly SyscallAttack[]
  neighbour: Command
}

const titleOf = ({ attack }: SyscallAttack): string => (typeof attack === 'string' ? attack : attack.join(' '))
const flags = ['--cap-add', 'CAP_SYS_ADMIN', '--cap-add', 'CAP_SYS_PTRACE']

/** The filter of a single rule, in the kubelet's folder. */
const filterOf = (rule: string, mode: Mode): string =>
  JSON.stringify(compiled(policyOfRule(rule, mode, 'Seccomp'), seccompOptions).enforcers.Seccomp?.profile)

async function works(container: Container, command: Command): Promise<void> {
  const { status, text } = await container.run(command)
  expect(status, `${command}: ${text}`).to.equal(0)
}

/** Provides a container that runs only during the tests of one `describe`. */
function containerFor(name: string, start: () => Promise<Container>, stop?: () => Promise<void>): () => Container {
  let container: Container | undefined
  before(`start ${name}`, async function () {
    this.timeout(600_000)
    container = await start()
  })
  after(`stop ${name}`, async () => {
    await container?.stop()
    await stop?.()
  })
  return () => container!
}

/** Starts a container under the filter of a rule. */
function confined(rule: string, mode: Mode, started: (container: Container) => void): () => Container {
  const { profileName } = identityOf(policyOfRule(rule, mode, 'Seccomp'))
  const loader = new SeccompLoader()
  const start = async (): Promise<Container> => {
    const filter = filterOf(rule, mode)
    await loader.load(profileName, filter)
    const runtime = [...flags, ...seccompFlags(join(kubeletSeccompFolder, profileName))]
    const known = { profileName, refusedCalls: refusedCalls(JSON.parse(filter)) }
    const options = { image: debianImage, flags: runtime, ...known }
    const container = await Container.start(`${mode}-${rule}`, options)
    started(container)
    return container
  }
  return containerFor(`${mode}-${rule}`, start, () => loader.unload(profileName))
}

function describeEnforced({ rule, attacks, neighbour }: SeccompCase, log: Log): void {
  const policy = identityOf(policyOfRule(rule, 'enforced', 'Seccomp'))
  describe(`${rule}, enforced`, () => {
    const container = confined(rule, 'enforced', ({ info }) => log.expect([info], [policy]))
    for (const each of attacks) {
      const { event } = each
      const title = `${titleOf(each)} is refused with ${each.errno}${reportsRefusals ? ' and reported' : ''}`
      if (each.skip !== undefined) it(`${title}: ${each.skip}`)
      else
        it(title, async () => {
          await container().begin(each.attack)
          const lines = await log.next(reportsRefusals ? 1 : 0)
          const { status, text } = await container().end()
          expect(text).to.contain(messages[each.errno])
          expect(status).not.to.equal(0)
          expect(lines, text).to.have.length(reportsRefusals ? 1 : 0)
          for (const line of lines)
            expectLoggedCall(line, { event, mode: 'enforced', container: container().info, policy })
        })
    }
    it('its neighbour works', () => works(container(), neighbour))
  })
}

/** The log of violations, and a function that adds containers and policies to the pipeline's data. */
interface Log {
  expect: Violations['expect']
  next(count: number): Promise<Awaited<ReturnType<Violations['after']>>>
}

function describeObserved({ rule, attacks, neighbour }: SeccompCase, log: Log): void {
  const policy = identityOf(policyOfRule(rule, 'observed', 'Seccomp'))
  const runs = attacks.filter(({ skip }) => skip === undefined)
  describe(`${rule}, observed`, () => {
    const container = confined(rule, 'observed', ({ info }) => log.expect([info], [policy]))
    it('its neighbour works', () => works(container(), neighbour))
    for (const each of runs) {
      const { attack, event, isCommon = false } = each
      it(`${titleOf(each)} works and is ${isCommon ? 'not ' : ''}reported`, async () => {
        await container().begin(attack)
        const lines = await log.next(isCommon ? 0 : 1)
        const { status, text } = await container().end()
        expect(status, text).to.equal(0)
        expect(lines, text).to.have.length(isCommon ? 0 : 1)
        for (const line of lines)
          expectLoggedCall(line, { event, mode: 'observed', container: container().info, policy })
      })
    }
  })
}

/**
 * Tests Seccomp's part of rules. A container's filter cannot change, so each rule has a container for each mode. A
 * container without a filter shows that nothing else refuses. No container is confined by AppArmor; all have
 * CAP_SYS_ADMIN and CAP_SYS_PTRACE, which some attacks need.
 */
export function describeSeccompRules(cases: readonly SeccompCase[]): void {
  for (const { rule, alike = [], attacks } of cases) {
    const runs = attacks.some(({ skip }) => skip === undefined)
    for (const name of [rule, ...alike]) noteCase('Seccomp', name, runs)
  }
  describe('Seccomp', () => {
    noteResults('Seccomp')
    let violations: Violations
    /** Number of log lines that tests have checked. */
    let seen = 0
    const log: Log = {
      expect: (...known) => violations.expect(...known),
      next: async (count) => {
        const lines = await violations.after(seen, count)
        seen += lines.length
        return lines
      },
    }
    before(async () => {
      await output('containerd-up', [])
      violations = await Violations.start([], [])
    })
    after(() => violations?.stop())

    for (const given of cases) {
      for (const other of given.alike ?? [])
        it(`${other} has the filter of ${given.rule}`, () => {
          for (const mode of ['enforced', 'observed'] as const)
            expect(filterOf(other, mode)).to.equal(filterOf(given.rule, mode))
        })
      describeEnforced(given, log)
      describeObserved(given, log)
    }

    describe('in a container without a filter', () => {
      const container = containerFor('unfiltered', () => Container.start('unfiltered', { image: debianImage, flags }))
      for (const { rule, attacks, neighbour } of cases)
        it(`the attacks on ${rule} and its neighbour work`, async () => {
          for (const { attack, skip } of attacks) if (skip === undefined) await works(container(), attack)
          await works(container(), neighbour)
        })
    })
  })
}
