import { expect } from 'chai'
import { ActorSystem, SimulatedClock } from '../../../actors/runtime/index.ts'
import type { ModelReport } from '../../../src/api/model-report.ts'
import { recordingOf } from '../../../src/api/recording.ts'
import { Models, type ModelsOptions } from '../../../src/manager/models/models.ts'
import { recordedProfile } from '../../actors/modelling/world.ts'

const profile = recordedProfile('Seccomp')
const report: ModelReport = {
  ...{ node: 'n1', namespace: 'demo', name: 'varmor-demo-web', digest: 'a'.repeat(64), pieces: 1 },
  recording: recordingOf(profile)!.id,
  summary: { began: '', records: 0, ofRuntime: 0, lost: 0, leftOut: [], gaps: [] },
}

describe('what agents say of recordings', () => {
  const rows: { title: string; more: Partial<ModelReport>; state: string; actors: number }[] = [
    { title: 'finds the actor of its ArmorProfile', more: {}, state: 'waiting', actors: 1 },
    { title: 'makes no actor for one that is not there', more: { name: 'made-up' }, state: 'unknown', actors: 0 },
    { title: 'makes no actor for another recording', more: { recording: 'u-1.7' }, state: 'unknown', actors: 0 },
    { title: 'makes no actor for a node that is not there', more: { node: 'n2' }, state: 'unknown', actors: 0 },
  ]
  for (const { title, more, state, actors } of rows)
    it(title, async () => {
      const system = new ActorSystem({ clock: new SimulatedClock(0) })
      const stored = (key: string, object: object) => ({ store: new Map([[key, object]]) })
      const models = new Models({
        system,
        view: {
          profiles: stored('demo/varmor-demo-web', profile),
          models: { store: new Map() },
          nodes: stored('n1', {}),
        },
        expected: () => ['n1'],
      } as unknown as ModelsOptions)
      expect((await models.report({ ...report, ...more })).state).to.equal(state)
      expect(system.stats().families['model']?.live).to.equal(actors)
      await system.stop()
    })
})
