import { expect } from 'chai'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { oldestKernels } from '../../../../src/rules/kernels.ts'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { openEnforcer } from '../bpf/enforcer.ts'
import type { Answer } from '../contained-shell.ts'
import { type BpfEvent, eventsOf, runsAfterAll } from './bpf-events.ts'
import { type Command, Container, containerIdOf } from './container.ts'
import { type Errno, messages } from './errno.ts'
import { expectBpfEvents } from './expected-bpf.ts'
import { linuxFrom } from './kernel-release.ts'
import { compiled, identityOf, type Mode, policyOf, policyOfRule, profileOf } from './profiles.ts'
import {
  type BpfCase,
  casesWhenDeleted,
  type RuleCase,
  type RuleFamily,
  serviceAddresses,
  titleOf,
} from './rule-case.ts'
import { deleted, noteCase, noteResults } from './rules-shown.ts'
import { type Violation, Violations } from './violations.ts'

/**
 * BPF hooks return EPERM where AppArmor returns EACCES. If a capability is refused, the kernel code that asked for it
 * chooses the errno.
 */
const refusalOf = ({ refusal, records: [record] }: RuleCase): RuleCase['refusal'] =>
  refusal === 'EACCES' && record?.class !== 'cap' ? 'EPERM' : refusal

/** Derives BPF's case from AppArmor's case. */
export function bpfCaseOf(given: RuleCase): BpfCase {
  const { records, observed = records, notAppArmor: _, bpf = {}, ...attempt } = given
  const common = { ...attempt, refusal: refusalOf(given) }
  if (bpf.events !== undefined) return { ...common, events: bpf.events, ...bpf }
  const after = observed.flatMap(eventsOf)
  const runs = after.length === 1 && after[0]!.event['operation'] === 'Bprm'
  return { ...common, events: records.flatMap(eventsOf), observed: runs ? runsAfterAll(after[0]!) : after, ...bpf }
}

/** Joins each `--mount` flag and its value to one word, to find equal mounts. */
const mountsIn = (flags: readonly string[] = []): string[] =>
  flags.filter((flag) => flag !== '--mount').map((what) => `--mount=${what}`)

/** A read of this file is reported, so all reports before it belong to earlier operations. */
const endFile = '/tmp/.end'
const endPolicy = policyOf(
  'end',
  'observed',
  { privileged: true, bpfRawRules: { files: [{ pattern: endFile, permissions: ['read'] }] } },
  'BPF',
)

/** A container with all privileges, so that only BPF refuses. It runs with one profile after another. */
class Stage {
  readonly #cases: readonly BpfCase[]
  #enforcer: BpfEnforcer | undefined
  #container: Container | undefined
  #violations: Violations | undefined
  /** Number of log lines that tests have checked. */
  #seen = 0

  constructor(cases: readonly BpfCase[]) {
    this.#cases = cases
  }

  get #policies() {
    const rules = [...new Set(this.#cases.map(({ rule }) => rule))]
    return rules.flatMap((rule) => [policyOfRule(rule, 'enforced', 'BPF'), policyOfRule(rule, 'observed', 'BPF')])
  }

  async set(families: readonly RuleFamily[]): Promise<void> {
    await output('containerd-up', [])
    const enforcer = await openEnforcer()
    this.#enforcer = enforcer
    const policies = [...this.#policies, endPolicy]
    for (const policy of policies) {
      const { profileName, enforcers } = compiled(policy, { addresses: serviceAddresses })
      await enforcer.load(profileName, JSON.stringify(enforcers.BPF?.profile))
    }
    const id = containerIdOf('bpf')
    await enforcer.add({ id, profile: identityOf(endPolicy).profileName })
    const flags = new Set(families.flatMap((family) => mountsIn(family.flags)))
    this.#container = await Container.start('bpf', { image: debianImage, flags: ['--privileged', ...flags] })
    const info = { ...this.#container.info, bpfNumber: enforcer.numberOf(id)! }
    const known = policies.map((policy) => {
      const identity = identityOf(policy)
      return { ...identity, bpfId: enforcer.idOf(identity.profileName)! }
    })
    this.#violations = await Violations.start([info], known, () => enforcer.folder)
    for (const { prepare } of families) await this.works(prepare)
    await this.works(`echo > ${endFile}`)
  }

  /** @param profile profile of the command; undefined: unconfined */
  async #run(command: Command, profile = ''): Promise<Answer> {
    await this.#enforced(profile)
    return this.#container!.run(command)
  }

  #enforced(profile: string): Promise<void> {
    return this.#enforcer!.add({ id: this.#container!.info.containerID, profile })
  }

  /** @param profile profile of the command; undefined: unconfined */
  async works(command: Command | undefined, profile?: string): Promise<void> {
    if (command === undefined) return
    const { status, text } = await this.#run(command, profile)
    expect(status, `${command}: ${text}`).to.equal(0)
  }

  /**
   * Runs the attack under the rule's profile, then its neighbour.
   * @returns the output and the reports of both
   */
  async attempt({ rule, prepare, attack, undo, neighbour }: BpfCase, mode: Mode, succeeds: boolean) {
    const profile = profileOf(rule, mode)
    await this.works(prepare)
    const attacked = await this.#run(attack, profile)
    if (succeeds) await this.works(undo)
    const beside = await this.#run(neighbour, profile)
    return { attacked, beside, lines: await this.reported() }
  }

  /** Violations since the last call. */
  async reported(): Promise<Violation[]> {
    const end = identityOf(endPolicy).profileName
    await this.#enforced(end)
    await this.#container!.read(endFile)
    await this.#enforced('')
    const isEnd = (line: Violation): boolean => line['profileName'] === end
    const lines = await this.#violations!.after(this.#seen, (found) => found.some(isEnd))
    this.#seen += lines.length
    return lines.filter((line) => !isEnd(line))
  }

  expectEvents(lines: readonly Violation[], events: readonly BpfEvent[], { rule }: BpfCase, mode: Mode, said: string) {
    const policy = identityOf(policyOfRule(rule, mode, 'BPF'))
    expectBpfEvents(lines, events, { mode, policy, container: this.#container!.info, said })
  }

  async removePolicies(): Promise<void> {
    for (const policy of this.#policies) await this.#enforcer!.unload(identityOf(policy).profileName)
  }

  async clear(): Promise<void> {
    await this.#violations?.stop()
    await this.#container?.stop()
    if (this.#container !== undefined) await this.#enforcer?.remove(this.#container.info.containerID)
  }
}

async function enforced(stage: Stage, given: BpfCase): Promise<void> {
  const { refusal, events, neighbour } = given
  const { attacked, beside, lines } = await stage.attempt(given, 'enforced', false)
  expect(attacked.text).to.contain(typeof refusal === 'string' ? messages[refusal as Errno] : refusal.says)
  expect(attacked.status).not.to.equal(0)
  expect(beside.status, `${neighbour}: ${beside.text}`).to.equal(0)
  stage.expectEvents(lines, events, given, 'enforced', attacked.text)
}

async function observed(stage: Stage, given: BpfCase): Promise<void> {
  const { events, observed: expected = events, neighbour } = given
  const { attacked, beside, lines } = await stage.attempt(given, 'observed', true)
  expect(attacked.status, attacked.text).to.equal(0)
  expect(beside.status, `${neighbour}: ${beside.text}`).to.equal(0)
  stage.expectEvents(lines, expected, given, 'observed', attacked.text)
}

function describeCase(stage: Stage, given: BpfCase): void {
  const title = titleOf(given)
  if (given.skip !== undefined) it(`${title}: ${given.skip}`)
  else {
    it(`${title}: enforced, the attack is refused and reported, and its neighbour works`, () => enforced(stage, given))
    it(`${title}: observed, both work and the attack is reported`, () => observed(stage, given))
  }
}

/**
 * Tests BPF's part of rules as describeAppArmorRules tests AppArmor's part: with the same attacks and neighbours, in
 * one container that changes its profile. Between two tests the container reads a file whose read is reported, so that
 * unexpected reports are found.
 */
export function describeBpfRules(families: readonly RuleFamily[]): void {
  const casesOf = ({ cases, onlyBpf = [] }: RuleFamily): BpfCase[] => [...cases.map(bpfCaseOf), ...onlyBpf]
  const all = families.flatMap(casesOf)
  for (const { rule, skip } of all) noteCase('BPF', rule, skip === undefined)
  const cases = all.filter(({ skip }) => skip === undefined)
  describe('BPF', () => {
    noteResults('BPF')
    const stage = new Stage(cases)
    before(async function () {
      this.timeout(600_000)
      const [major = 0, minor = 0] = oldestKernels.bpf.split('.').map(Number)
      if (!linuxFrom(major, minor)) this.skip()
      await stage.set(families)
    })
    after(() => stage.clear())

    for (const family of families)
      describe(family.name, () => {
        for (const given of casesOf(family)) describeCase(stage, given)
      })

    describe(deleted, () => {
      before(() => stage.removePolicies())
      for (const given of families.flatMap((family) => casesWhenDeleted(casesOf(family))))
        it(`${titleOf(given)}: attack and neighbour work, and nothing is reported`, async () => {
          const { attacked, beside, lines } = await stage.attempt(given, 'enforced', true)
          expect(attacked.status, attacked.text).to.equal(0)
          expect(beside.status, `${given.neighbour}: ${beside.text}`).to.equal(0)
          stage.expectEvents(lines, [], given, 'enforced', attacked.text)
        })
    })
  })
}
