import { expect } from 'chai'
import fc from 'fast-check'
import { compareVersions, keyOf } from '../../src/kube/objects.ts'
import { Store } from '../../src/kube/store.ts'
import { type Thing, thing } from './harness.ts'

const byValue = {
  value: ({ spec }: Thing) => (spec?.value === undefined ? [] : [String(spec.value), `mod ${spec.value % 2}`]),
}

describe('kube store', () => {
  it('finds by index what a search through all objects finds, after any changes', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd')
    const change = fc.record({ name, value: fc.option(fc.nat(5), { nil: undefined }), remove: fc.boolean() })
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        const store = new Store<Thing>(byValue)
        for (const { name: each, value, remove } of changes)
          if (remove) store.delete(`default/${each}`)
          else store.set(thing(each, 1, value === undefined ? {} : { value }))
        const all = [...store.values()]
        const values = new Set(all.flatMap(byValue.value))
        expect(new Set(store.indexValues('value'))).to.deep.equal(values)
        for (const value of values)
          expect(store.byIndex('value', value).map(keyOf)).to.have.members(
            all.filter((object) => byValue.value(object).includes(value)).map(keyOf),
          )
        expect(store.byIndex('namespace', 'default')).to.have.length(all.length)
        expect([...store.keys()]).to.deep.equal(all.map(keyOf))
      }),
    )
  })

  it('leaves an object out of an index whose function throws, and says so', () => {
    const said: string[] = []
    const index = {
      picky: ({ spec }: Thing) => {
        if (spec?.value === 2) throw new Error('two')
        return ['x']
      },
    }
    const store = new Store<Thing>(index, (name, key) => said.push(`${name} ${key}`))
    store.set(thing('a', 1, { value: 1 }))
    store.set(thing('a', 2, { value: 2 }))
    expect([store.size, store.byIndex('picky', 'x')]).to.deep.equal([1, []])
    expect(said).to.deep.equal(['picky default/a'])
  })

  it('names the indexes that there are', () => {
    expect(() => new Store<Thing>(byValue).byIndex('nope', 'x')).to.throw(
      'The index nope does not exist; existing indexes: namespace, value',
    )
  })
})

describe('kube versions', () => {
  it('are compared as numbers of any length', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.bigInt({ min: 0n, max: 10n ** 30n }), (one, other) => {
        expect(Math.sign(compareVersions(String(one), String(other)))).to.equal(one < other ? -1 : one > other ? 1 : 0)
      }),
    )
  })
  it('that are no numbers are equal or newer', () => {
    expect([compareVersions('abc', 'abc'), compareVersions('abc', '5'), compareVersions('5', 'abc')]).to.deep.equal([
      0, 1, 1,
    ])
  })
})
