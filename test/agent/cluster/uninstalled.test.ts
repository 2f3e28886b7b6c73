import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { SimulatedClock } from '../../../actors/runtime/index.ts'
import { Uninstalled } from '../../../src/agent/cluster/uninstalled.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { ApiError, ConnectionError } from '../../../src/kube/api-error.ts'

const context = { verb: 'get', path: '/configmaps/varmor-uninstall' }

/** The uid of the object in the API server, or the way in which the request fails. */
type World = string | 'none' | 'away' | 'forbidden'

const rows: { title: string; start: World[]; end: World; uninstalled: boolean; doubt?: RegExp; warns?: RegExp }[] = [
  { title: 'removes profiles if an uninstall started during its life', start: ['none'], end: 'a', uninstalled: true },
  { title: 'keeps profiles if no uninstall started', start: ['none'], end: 'none', uninstalled: false },
  {
    title: 'keeps profiles if an earlier uninstall was interrupted',
    start: ['a'],
    end: 'a',
    uninstalled: false,
    doubt: /existed before this agent/,
    warns: /interrupted uninstall/,
  },
  {
    title: 'removes profiles if a second uninstall started during its life',
    start: ['a'],
    end: 'b',
    uninstalled: true,
    warns: /interrupted uninstall/,
  },
  {
    title: 'keeps profiles if the traces of an interrupted uninstall are gone',
    start: ['a'],
    end: 'none',
    uninstalled: false,
    warns: /interrupted uninstall/,
  },
  {
    title: 'asks until the API server answers',
    start: ['away', 'away', 'none'],
    end: 'a',
    uninstalled: true,
    warns: /cannot check for an interrupted uninstall/,
  },
  {
    title: 'keeps profiles if it could never check for an earlier uninstall',
    start: ['away'],
    end: 'a',
    uninstalled: false,
    doubt: /may have existed before/,
    warns: /cannot check for an interrupted uninstall/,
  },
  {
    title: 'keeps profiles if it has no permission to check',
    start: ['forbidden'],
    end: 'forbidden',
    uninstalled: false,
    doubt: /Forbidden/,
    warns: /cannot check for an interrupted uninstall/,
  },
  {
    title: 'keeps profiles if the API server does not answer at the end',
    start: ['none'],
    end: 'away',
    uninstalled: false,
    doubt: /refused/,
  },
]

describe('an agent that ends', () => {
  for (const { title, start, end, uninstalled, doubt, warns } of rows)
    it(title, async () => {
      let [world = end] = start
      const get = async () => {
        if (world === 'none') throw new ApiError(404, {}, context)
        if (world === 'forbidden') throw new ApiError(403, {}, context)
        if (world === 'away') throw new ConnectionError('NOT_SENT', context, 'refused')
        return { metadata: { uid: world } }
      }
      const [clock, warnings, doubts]: [SimulatedClock, string[], string[]] = [new SimulatedClock(), [], []]
      const asked = new Uninstalled({ get } as never, 'varmor', clock)
      const started = asked.begin({ ...noLogger, warn: (_, message) => void warnings.push(message) })
      for (const next of start.slice(1)) {
        await turn()
        world = next
        clock.advance(60_000)
      }
      await turn()
      world = end
      expect(await asked.ask((reason) => doubts.push(reason))).to.equal(uninstalled)
      await started
      expect(doubts.join()).to.match(doubt ?? /^$/)
      expect(warnings.join()).to.match(warns ?? /^$/)
    })
})
