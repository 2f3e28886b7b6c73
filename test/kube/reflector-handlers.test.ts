import { expect } from 'chai'
import type { Change } from '../../src/kube/change.ts'
import type { Thing } from './harness.ts'
import { said, settle, started } from './reflector-world.ts'

describe('a reflector with handlers', () => {
  describe('keeps handlers apart', () => {
    it('one that throws, or rejects, hinders neither the reflector nor another', async () => {
      const failures: string[] = []
      const { model, reflector, changes } = await started({
        observer: {
          handlerFailed: (name, { key }, error) => void failures.push(`${name} ${key} ${(error as Error).message}`),
        },
      })
      reflector.subscribe({
        name: 'throws',
        handle: () => {
          throw new Error('no')
        },
      })
      reflector.subscribe({ name: 'rejects', handle: () => Promise.reject(new Error('never')) })
      model.set('a', 1)
      await settle()
      model.set('a', 2)
      await settle()
      expect(said(changes)).to.deep.equal(['added default/a 1', 'updated default/a 2'])
      expect(failures.sort()).to.deep.equal([
        'rejects default/a never',
        'rejects default/a never',
        'throws default/a no',
        'throws default/a no',
      ])
      await reflector.stop()
    })

    it('one that never comes back has the last state of each object waiting, and no more', async () => {
      const { model, reflector, changes } = await started()
      const stuck: Change<Thing>[] = []
      reflector.subscribe({
        name: 'stuck',
        handle: (change) => {
          stuck.push(change)
          return new Promise(() => undefined)
        },
      })
      for (let i = 0; i < 1000; i++) model.set(`thing-${i % 10}`, i)
      await settle()
      for (let i = 0; i < 1000; i++) model.set(`thing-${i % 10}`, i)
      model.remove('thing-3')
      for (let i = 0; i < 20; i++) await settle()
      expect(stuck).to.have.length(1)
      expect(reflector.depths).to.deep.equal({ all: 0, stuck: 9 })
      expect(changes).to.have.length(2001)
      await reflector.stop()
    })

    it('one that comes late gets everything that is there', async () => {
      const { reflector } = await started({}, (m) => {
        m.set('a', 1)
        m.set('b', 2)
      })
      const late: Change<Thing>[] = []
      const leave = reflector.subscribe({ name: 'late', handle: (change) => void late.push(change) })
      await settle()
      expect(said(late)).to.deep.equal(['added default/a 1', 'added default/b 2'])
      leave()
      expect(reflector.depths).to.deep.equal({ all: 0 })
      await reflector.stop()
    })

    it('an observer that throws becomes a warning', async () => {
      const warnings: string[] = []
      const { emitWarning } = process
      process.emitWarning = (warning: string | Error) => void warnings.push(String(warning))
      const { model, reflector } = await started({
        observer: {
          listed: () => {
            throw new Error('metrics are down')
          },
        },
      })
      model.set('a', 1)
      await settle()
      expect(reflector.store.size).to.equal(1)
      process.emitWarning = emitWarning
      expect(warnings.join()).to.match(/listed.*metrics are down/)
      await reflector.stop()
    })
  })
})
