import { expect } from 'chai'
import fc from 'fast-check'
import type { KubeObject } from '../../src/sandbox/api-server/kube-object.ts'
import { CompactedError, StaleWriteError, Store } from '../../src/sandbox/api-server/store/store.ts'

const resource = '/configmaps'
const map = (namespace: string, name: string, value = 0): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data: { value: String(value) },
})
const keys = (objects: Iterable<KubeObject>): string[] =>
  [...objects].map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)

interface Step {
  action: 'put' | 'delete'
  namespace: string
  name: string
  value: number
}
const steps = fc.array(
  fc.record<Step>({
    action: fc.constantFrom('put', 'put', 'delete'),
    namespace: fc.constantFrom('a', 'a-b', 'b'),
    name: fc.constantFrom('x', 'x-1', 'x.y', 'z'),
    value: fc.nat(9),
  }),
  { maxLength: 60 },
)

function run(store: Store, { action, namespace, name, value }: Step): void {
  const found = store.get(resource, namespace, name)
  if (action === 'delete') {
    if (found) store.delete(resource, found)
  } else if (found) store.update(resource, found, map(namespace, name, value))
  else store.create(resource, map(namespace, name, value))
}

describe('the store of objects', () => {
  it('lists, at every revision that is kept, what there was then, in the order of the keys', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const store = new Store()
        const model = new Map<string, string>()
        const past: { revision: number; state: [string, string][] }[] = []
        for (const step of list) {
          run(store, step)
          const key = `${step.namespace}/${step.name}`
          if (step.action === 'delete') model.delete(key)
          else model.set(key, String(step.value))
          past.push({ revision: store.revision, state: [...model].sort(([a], [b]) => (a < b ? -1 : 1)) })
        }
        for (const { revision, state } of past) {
          const found = store.snapshot(resource, undefined, revision)
          expect(keys(found)).to.deep.equal(state.map(([key]) => key))
          expect(found.map((object) => (object['data'] as { value: string }).value)).to.deep.equal(
            state.map(([, value]) => value),
          )
          expect(keys(store.snapshot(resource, 'a', revision))).to.deep.equal(
            state.map(([key]) => key).filter((key) => key.startsWith('a/')),
          )
        }
      }),
    )
  })

  it('gives one who follows its changes the same state', () => {
    fc.assert(
      fc.property(steps, fc.nat(60), (list, start) => {
        const store = new Store()
        for (const step of list.slice(0, start)) run(store, step)
        const revision = store.revision
        const state = new Map(
          [...store.walk(resource)].map((object) => [`${object.metadata.namespace}/${object.metadata.name}`, object]),
        )
        for (const step of list.slice(start)) run(store, step)
        let last = revision
        for (const { type, object, revision: at } of store.changesAfter(resource, revision)) {
          expect(at).to.be.greaterThan(last)
          last = at
          const key = `${object.metadata.namespace}/${object.metadata.name}`
          if (type === 'DELETED') state.delete(key)
          else state.set(key, object)
        }
        expect([...state.keys()].sort()).to.deep.equal(keys(store.walk(resource)).sort())
      }),
    )
  })

  it('goes on from any key of a walk', () => {
    const store = new Store()
    for (const namespace of ['a', 'a-b', 'b'])
      for (const name of ['x', 'y']) store.create(resource, map(namespace, name))
    const all = keys(store.walk(resource))
    expect(all).to.deep.equal(['a-b/x', 'a-b/y', 'a/x', 'a/y', 'b/x', 'b/y'])
    for (const [index, key] of all.entries())
      expect(keys(store.walk(resource, undefined, `${key}\0`))).to.deep.equal(all.slice(index + 1))
  })

  it('refuses to write over what has changed since it was read', () => {
    const store = new Store()
    const read = store.create(resource, map('a', 'x'))
    store.update(resource, read, map('a', 'x', 1))
    expect(() => store.update(resource, read, map('a', 'x', 2))).to.throw(StaleWriteError)
    expect(() => store.delete(resource, read)).to.throw(StaleWriteError)
    expect(() => store.create(resource, map('a', 'x'))).to.throw(StaleWriteError)
  })

  it('keeps so many changes and says which are gone', () => {
    const store = new Store(3)
    for (let i = 0; i < 6; i++) store.create(resource, map('a', `n${i}`))
    expect(store.changesAfter(resource, store.floor(resource))).to.have.length(3)
    expect(() => store.changesAfter(resource, store.floor(resource) - 1)).to.throw(CompactedError)
    expect(() => store.snapshot(resource, undefined, store.floor(resource) - 1)).to.throw(CompactedError)
  })

  it('freezes what it holds, and comes back from its dump', () => {
    const store = new Store()
    const stored = store.create(resource, map('a', 'x'))
    expect(() => {
      ;(stored['data'] as Record<string, string>)['value'] = 'other'
    }).to.throw(TypeError)
    const again = new Store()
    again.restore(JSON.parse(JSON.stringify(store.dump())))
    expect([...again.walk(resource)]).to.deep.equal([...store.walk(resource)])
    expect(again.revision).to.equal(store.revision)
    expect(() => again.changesAfter(resource, 1)).to.throw(CompactedError)
  })
})
