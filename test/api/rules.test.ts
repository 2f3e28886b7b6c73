import { expect } from 'chai'
import fc from 'fast-check'
import { kinds } from '../../src/api/crds.ts'
import { wordsCel } from '../../src/api/open-api.ts'
import { type Rule, rules } from '../../src/api/rules.ts'
import type { RulePlace, SchemaNode } from '../../src/api/schema/node.ts'
import { findWord } from '../../src/api/vocabulary.ts'
import { arbitraryOf, nodesIn } from './arbitrary.ts'
import { compileCel } from './cel.ts'

const nodes = kinds.flatMap(({ schema }) => [...nodesIn(schema)])
const places = Object.entries(rules) as [RulePlace, readonly Rule[]][]

const nodesAt = (place: RulePlace): SchemaNode[] => nodes.filter(({ rulesAt }) => rulesAt === place)

/** The schema without fields that no rule of this place reads, so that generated objects differ in relevant fields. */
function readPart(node: SchemaNode, reads: readonly string[]): SchemaNode {
  if (reads.length === 0 || reads.includes('') || node.properties === undefined) return node
  const steps = reads.map((path) => path.split('.'))
  const fields = Object.entries(node.properties).flatMap(([name, field]) => {
    const inner = steps.filter(([first]) => first === name).map((path) => path.slice(1).join('.'))
    const needed = inner.length > 0 || node.required?.includes(name)
    return needed ? [[name, readPart(field, inner.length > 0 ? inner : [''])] as const] : []
  })
  return { ...node, properties: Object.fromEntries(fields) }
}

/** Relevant values that the schema alone would rarely produce. */
const telling: Partial<Record<RulePlace, unknown[]>> = {
  headerAction: [{ name: 'Host', value: 'a' }, { name: 'hOST' }],
}

/** Objects that a rule checks, each with a previous object, which is often equal. */
function pairsFor(place: RulePlace, { reads }: Rule): fc.Arbitrary<[unknown, unknown]> {
  const node = readPart(nodesAt(place)[0] as SchemaNode, reads)
  const generated = arbitraryOf(node)
  const samples = telling[place]
  const value = samples === undefined ? generated : fc.oneof(generated, fc.constantFrom(...samples))
  return value.chain((self) => fc.tuple(fc.constant(self), fc.oneof(fc.constant(self), value)))
}

describe('rules about several fields', () => {
  for (const [place, ofPlace] of places) {
    describe(place, () => {
      it('stands somewhere in a schema', () => expect(nodesAt(place)).not.to.be.empty)

      for (const rule of ofPlace) {
        const { cel, message } = rule
        if (typeof cel !== 'string') {
          it(`is not in the CRD, for a reason: ${message.slice(0, 60)}`, () => expect(cel.none).to.match(/Kubernetes/))
          continue
        }
        const inCel = compileCel(cel)
        const pairs = pairsFor(place, rule)

        it(`says the same in CEL and in TypeScript: ${message.slice(0, 60)}`, () => {
          fc.assert(
            fc.property(pairs, ([self, oldSelf]) => {
              expect(inCel(self, oldSelf)).to.equal(rule.check(self, oldSelf))
            }),
            { numRuns: 200 },
          )
        })

        it(`is met and broken by what that test generates: ${message.slice(0, 60)}`, () => {
          const outcomes = fc.sample(pairs, { seed: 7, numRuns: 500 }).map(([self, old]) => rule.check(self, old))
          expect([...new Set(outcomes)].sort()).to.deep.equal([false, true])
        })
      }
    })
  }

  it('have one message each at a place', () => {
    for (const [place, ofPlace] of places) {
      const messages = ofPlace.map(({ message }) => message)
      expect(new Set(messages).size, place).to.equal(messages.length)
    }
  })

  it('about changes stand where no list is above them, so that an API server can tell old from new', () => {
    const withinLists = nodes.flatMap(({ items }) => (items === undefined ? [] : [...nodesIn(items)]))
    const changing = withinLists.filter(
      ({ rulesAt }) => rulesAt !== undefined && rules[rulesAt].some(({ change }) => change),
    )
    expect(changing).to.be.empty
  })
})

describe('words', () => {
  const vocabularies = new Set(nodes.flatMap(({ words }) => (words === undefined ? [] : [words])))

  for (const words of vocabularies) {
    it(`are the same in CEL and in TypeScript: ${Object.keys(words).slice(0, 5).join(', ')}`, () => {
      const inCel = compileCel(wordsCel(words))
      const form = fc.constantFrom(...Object.entries(words).flat(2))
      const changed = form.chain((text) =>
        fc.constantFrom(text, text.toUpperCase(), text.toLowerCase(), `${text}s`, text.slice(1)),
      )
      fc.assert(
        fc.property(fc.oneof(changed, fc.string()), (text) => {
          expect(inCel(text, text)).to.equal(findWord(words, text) !== undefined)
        }),
      )
    })
  }
})
