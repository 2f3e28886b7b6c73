import { expect } from 'chai'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import type { Answer } from '../contained-shell.ts'
import { type Command, Container } from './container.ts'
import { messages } from './errno.ts'
import { expectRecords } from './expected-violation.ts'
import { identityOf, loadAppArmor, type Mode, policyOfRule, profileOf, unloadAppArmor } from './profiles.ts'
import { casesWhenDeleted, last, type RuleCase, type RuleFamily, titleOf } from './rule-case.ts'
import { deleted, noteCase, noteResults } from './rules-shown.ts'
import { type Violation, Violations } from './violations.ts'

/**
 * A container with all privileges, so that only AppArmor refuses, with the profiles of the cases and the log of
 * violations.
 */
class Stage {
  readonly #cases: readonly RuleCase[]
  #container: Container | undefined
  #violations: Violations | undefined
  /** Number of log lines that tests have checked. */
  #seen = 0

  constructor(cases: readonly RuleCase[]) {
    this.#cases = cases
  }

  get #policies() {
    const rules = [...new Set(this.#cases.map(({ rule }) => rule))]
    return rules.flatMap((rule) => [policyOfRule(rule, 'enforced'), policyOfRule(rule, 'observed')])
  }

  async set({ name, flags = [], prepare }: RuleFamily): Promise<void> {
    await output('containerd-up', [])
    this.#container = await Container.start(name.replaceAll(/[^a-z]+/g, '-'), {
      image: debianImage,
      flags: ['--privileged', ...flags],
    })
    await this.works(prepare)
    const [violations] = await Promise.all([
      Violations.start([this.#container.info], this.#policies.map(identityOf)),
      loadAppArmor(this.#policies),
    ])
    this.#violations = violations
  }

  /** Runs an attack under the rule's profile, and checks that the next lines of the log report this attack only. */
  async attack({ rule, attack, records, observed = records }: RuleCase, mode: Mode): Promise<Answer> {
    const expected = mode === 'enforced' ? records : observed
    let { lines, answer } = await this.#tried(attack, profileOf(rule, mode), expected.length)
    // A line omits an uncertain name and gives the reason. That may happen once on a machine that is slow for a moment.
    const uncertain = lines.find(({ unresolved }) => unresolved !== undefined)
    if (uncertain !== undefined) {
      console.log(`      tried again, as a line had no name (${uncertain['unresolved']}): ${JSON.stringify(uncertain)}`)
      // AppArmor does not repeat a profile's capability record on the same CPU, so the profile is loaded again.
      const policies = [policyOfRule(rule, mode)]
      unloadAppArmor(policies)
      await loadAppArmor(policies)
      ;({ lines, answer } = await this.#tried(attack, profileOf(rule, mode), expected.length))
    }
    const policy = identityOf(policyOfRule(rule, mode))
    expectRecords(lines, expected, { mode, policy, container: this.#container!.info, said: JSON.stringify(answer) })
    return answer
  }

  async #tried(attack: Command, profile: string, records: number): Promise<{ lines: Violation[]; answer: Answer }> {
    await this.#container!.begin(attack, profile)
    const lines = await this.#violations!.after(this.#seen, records)
    this.#seen += lines.length
    return { lines, answer: await this.#container!.end() }
  }

  /** @param profile profile of the command; undefined: unconfined */
  async works(command: Command | undefined, profile?: string): Promise<void> {
    if (command === undefined) return
    const { status, text } = await this.#container!.run(command, profile)
    expect(status, `${command}: ${text}`).to.equal(0)
  }

  removePolicies(): void {
    unloadAppArmor(this.#policies)
  }

  async clear(): Promise<void> {
    await this.#violations?.stop()
    await this.#container?.stop()
  }
}

async function enforced(stage: Stage, given: RuleCase): Promise<void> {
  const { rule, prepare, refusal, neighbour } = given
  await stage.works(prepare)
  const { status, text } = await stage.attack(given, 'enforced')
  expect(text).to.contain(typeof refusal === 'string' ? messages[refusal] : refusal.says)
  expect(status).not.to.equal(0)
  await stage.works(neighbour, profileOf(rule, 'enforced'))
}

/**
 * Tests AppArmor's part of rules, all in one container. Enforced, the attack is refused and reported; observed, it
 * works and is reported; without policies, one attack works. The neighbour always works and is not reported: the next
 * line of the log reports the next attack.
 */
export function describeAppArmorRules(family: RuleFamily): void {
  const all = family.cases.map((given) => ({ ...given, skip: given.skip ?? given.notAppArmor }))
  for (const { rule, skip } of all) noteCase('AppArmor', rule, skip === undefined)
  const cases = all.filter(({ skip }) => skip === undefined)
  describe(`AppArmor: ${family.name}`, () => {
    noteResults('AppArmor')
    const stage = new Stage([...cases, last])
    before(async function () {
      this.timeout(600_000)
      await stage.set(family)
    })
    after(() => stage.clear())

    for (const given of all) {
      const title = titleOf(given)
      if (given.skip !== undefined) {
        it(`${title}: ${given.skip}`)
        continue
      }
      it(`${title}: enforced, the attack is refused and reported, and its neighbour works`, () =>
        enforced(stage, given))
      it(`${title}: observed, both work and the attack is reported`, async () => {
        await stage.works(given.prepare)
        const { status, text } = await stage.attack(given, 'observed')
        expect(status, text).to.equal(0)
        await stage.works(given.undo)
        await stage.works(given.neighbour, profileOf(given.rule, 'observed'))
      })
    }

    it('nothing else is reported: what comes next is the next attack', () => enforced(stage, last))

    describe(deleted, () => {
      before(() => stage.removePolicies())
      for (const given of casesWhenDeleted(cases))
        it(`${titleOf(given)}: attack and neighbour work`, async () => {
          await stage.works(given.prepare)
          await stage.works(given.attack)
          await stage.works(given.undo)
          await stage.works(given.neighbour)
        })
    })
  })
}
