import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { heapBytes } from '../../src/base/heap-bytes.ts'
import { whyOutlined } from '../../src/base/left-out.ts'
import { Quota, type RoomOptions } from '../../src/kube/room.ts'
import { type Thing, thing } from './harness.ts'
import { settle, started } from './reflector-world.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const options: RoomOptions<Thing> = {
  what: 'Things',
  all: 100_000,
  ofNamespace: 40_000,
  exempt: 'ours',
  outline: ({ metadata }) => ({ metadata }),
}
/** @param length number of characters, with one byte each */
const large = (name: string, namespace: string, length = 10_000): Thing => {
  const made = thing(name, 1, { text: 'x'.repeat(length) })
  made.metadata.namespace = namespace
  return made
}

describe('room for objects', () => {
  it('is full for a namespace that has its share, and not for another one', () => {
    const room = new Quota(options)
    const kept = (namespace: string) =>
      ['a', 'b', 'c', 'd', 'e'].map((name) => whyOutlined(room.fit(large(name, namespace))!) === undefined)
    expect(kept('one')).to.deep.equal([true, true, true, false, false])
    expect(kept('two')).to.deep.equal([true, true, true, false, false])
    expect(room.outlines).to.equal(4)
    expect(room.bytes).to.be.within(60_000, 80_000)
    const outline = room.fit(large('f', 'one'))!
    expect(outline).to.deep.include({ metadata: large('f', 'one').metadata })
    expect(outline.spec).to.equal(undefined)
    expect(whyOutlined(outline)).to.match(/managers keep at most 0 MiB of Things of the namespace one/)
  })

  it('is full for all when all have theirs, but for whom it is always there', () => {
    const room = new Quota(options)
    for (const namespace of ['one', 'two', 'three'])
      for (const name of ['a', 'b', 'c']) room.fit(large(name, namespace))
    expect(whyOutlined(room.fit(large('a', 'four'))!)).to.match(/Things of all namespaces/)
    expect(whyOutlined(room.fit(large('a', 'ours', 1_000_000))!)).to.equal(undefined)
  })

  it('is there again when an object goes, or becomes smaller', () => {
    const room = new Quota(options)
    for (const name of ['a', 'b', 'c']) room.fit(large(name, 'one'))
    const isWhole = () => whyOutlined(room.fit(large('d', 'one'))!) === undefined
    expect(isWhole()).to.equal(false)
    room.fit(large('a', 'one', 10))
    expect(isWhole()).to.equal(true)
    for (const name of ['a', 'b', 'c', 'd']) room.forget(`one/${name}`)
    expect([room.bytes, room.outlines]).to.deep.equal([0, 0])
  })

  it('takes so many objects of a namespace and of all, however small, and keeps those that it has', () => {
    const room = new Quota({ ...options, objects: { all: 250, ofNamespace: 100 } })
    const tiny = (name: number, namespace: string): Thing => large(`t${name}`, namespace, 1)
    const kept = (namespace: string, count: number): number =>
      Array.from({ length: count }, (_, i) => room.fit(tiny(i, namespace))).filter((one) => one !== undefined).length
    expect([kept('one', 300), kept('two', 300), kept('three', 300), kept('four', 3)]).to.deep.equal([100, 100, 50, 0])
    expect(['one', 'five'].map((namespace) => room.takesMore(namespace))).to.deep.equal([false, false])
    expect(['four', 'five'].map((namespace) => room.isIncomplete(namespace))).to.deep.equal([true, false])
    expect(room.fit(tiny(1, 'one'), true)).not.to.equal(undefined)
    expect(room.fit(large('t2', 'one', 1_000_000), true)).not.to.equal(undefined)
    expect(room.objects).to.equal(250)
    room.forget('one/t2')
    expect(room.fit(tiny(300, 'one'))).not.to.equal(undefined)
    expect(room.fit(tiny(301, 'one'))).to.equal(undefined)
    for (let i = 0; i < 10; i++) expect(room.fit(tiny(i, 'ours'))).not.to.equal(undefined)
  })

  const shapes: { what: string; make: (i: number) => unknown }[] = [
    { what: 'one long text', make: (i) => ({ text: `${i}${'x'.repeat(3_000)}` }) },
    { what: 'one long text of two bytes a character', make: (i) => ({ text: `${i}${'é€'.repeat(1_500)}` }) },
    {
      what: 'labels that no other object has',
      make: (i) => Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`l${i}-${n}`, 'v'])),
    },
    {
      what: 'many containers',
      make: (i) => Array.from({ length: 50 }, (_, n) => ({ name: `c${i}-${n}`, securityContext: {} })),
    },
    { what: 'many short texts', make: (i) => Array.from({ length: 200 }, (_, n) => `t${i}-${n}`) },
  ]
  for (const { what, make } of shapes)
    it(`counts as much as V8 takes, of ${what}`, () => {
      const texts = Array.from({ length: 2_000 }, (_, i) => JSON.stringify(make(i)))
      gc()
      const before = process.memoryUsage().heapUsed
      const values = texts.map((text) => JSON.parse(text) as unknown)
      gc()
      const took = process.memoryUsage().heapUsed - before
      const counted = values.reduce<number>((sum, value) => sum + heapBytes(value), 0)
      expect(counted / took).to.be.within(0.75, 3)
    })
})

describe('a reflector with a room', () => {
  const few: RoomOptions<Thing> = { ...options, ofNamespace: 3_000 }

  it('keeps outlines of what is too much, from a list and from a watch, and the whole when there is room again', async () => {
    const { model, clock, reflector, changes } = await started({ room: few }, (m) => {
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) m.set(name, 1)
    })
    const whole = () => [...reflector.store.values()].filter((one) => whyOutlined(one) === undefined).length
    const fits = whole()
    expect(fits).to.be.within(1, 5)
    expect(reflector.outlines).to.equal(6 - fits)
    model.set('g', 1)
    await settle()
    expect(whyOutlined(reflector.store.get('default/g')!)).to.be.a('string')
    expect(changes.at(-1)?.object).to.equal(reflector.store.get('default/g'))
    for (const name of ['a', 'b', 'c', 'd']) model.remove(name)
    await settle()
    expect(reflector.outlines).to.equal(3)
    model.endWatches()
    await clock.advance(40_000)
    expect([whole(), reflector.outlines]).to.deep.equal([3, 0])
    expect(reflector.store.get('default/g')?.spec).to.deep.equal({ value: 1 })
    await reflector.stop()
  })

  it('drops objects that are too many, keeps those that it has at each list, and takes others when there is room', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `k${i}`)
    const room = { ...options, objects: { all: 5, ofNamespace: 5 } }
    const { model, clock, reflector, changes } = await started({ room }, (m) => {
      for (const name of names) m.set(name, 1)
    })
    const kept = () => [...reflector.store.keys()].map((key) => key.replace('default/', '')).sort()
    expect(kept()).to.deep.equal(names.slice(0, 5))
    expect([reflector.outlines, reflector.isIncomplete('default')]).to.deep.equal([3, true])
    model.set('a0', 1)
    model.set('k7', 2)
    await settle()
    expect(changes.map(({ key }) => key)).not.to.include('default/a0')
    model.endWatches()
    await clock.advance(40_000)
    expect(kept()).to.deep.equal(names.slice(0, 5))
    for (const name of ['k0', 'k1', 'k2', 'k6', 'k7']) model.remove(name)
    model.endWatches()
    await clock.advance(40_000)
    expect(kept()).to.deep.equal(['a0', 'k3', 'k4', 'k5'])
    expect([reflector.outlines, reflector.isIncomplete('default')]).to.deep.equal([0, false])
    await reflector.stop()
  })

  it('lists no more than once where all have room', async () => {
    const { model, clock, reflector } = await started({ room: options }, (m) => m.set('a', 1))
    model.endWatches()
    await clock.advance(40_000)
    expect(model.lists).to.equal(1)
    await reflector.stop()
  })
})
