import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { buildProfile } from '../../../actors/model/build-profile.ts'
import { defaultModelSettings, type ModelDocument } from '../../../actors/model/ports.ts'
import { modelFamily } from '../../../actors/model.ts'
import { Collector } from '../../../actors/modeller/collector.ts'
import { ActorSystem, SimulatedClock } from '../../../actors/runtime/index.ts'
import { recordingOf } from '../../../src/api/recording.ts'
import type { ArmorProfileModel, DynamicResult } from '../../../src/api/types.ts'
import { mebibyte } from '../../../src/base/bytes.ts'
import { keyOf } from '../../../src/kube/objects.ts'
import { recordedProfile } from './world.ts'

/** The record of a workload that opens files in this many directories, with names of a kilobyte. */
function files(directories: number): DynamicResult {
  const all = Array.from({ length: directories }, (_, i) => ({
    path: `/data${i % 100}/${'d'.repeat(200)}${Math.floor(i / 100)}/${'x'.repeat(200)}/${'y'.repeat(200)}/${'z'.repeat(200)}/${'f'.repeat(200)}`,
    permissions: ['r'],
  }))
  return { appArmor: { files: all } } as unknown as DynamicResult
}

describe('models that a manager merges', () => {
  it('stay within the quota of their namespace, even if many recordings end at once', async () => {
    const clock = new SimulatedClock(Date.parse('2026-01-01T00:00:00Z'))
    const system = new ActorSystem({ clock, random: () => 0.5 })
    const written = new Map<string, ModelDocument>()
    /** Models that are too large for an API object. */
    const large = new Map<string, DynamicResult>()
    const of = (key: string) => {
      const [namespace = '', name = ''] = key.split('/')
      const profile = recordedProfile('AppArmor', false)
      return { ...profile, metadata: { ...profile.metadata, namespace, name } }
    }
    const family = system.family(
      'model',
      modelFamily({
        profile: of,
        expected: () => ['node'],
        nodeExists: () => true,
        api: {
          readModel: async () => undefined,
          applyModel: async (document) => {
            const { namespace, name } = document.metadata
            written.set(`${namespace}/${name}`, document)
            return { ...document, metadata: { ...document.metadata, uid: 'm' } } as unknown as ArmorProfileModel
          },
          markModel: async (model) => model,
          writeModelStatus: async (model, status) => ({ ...model, status }),
        },
        files: {
          read: async () => undefined,
          write: async (model, data) => void large.set(keyOf(model), data),
          remove: async () => undefined,
        },
        build: async (result, profile) => buildProfile(result, profile, false),
        settings: defaultModelSettings,
      }),
    )
    const settle = async (): Promise<void> => {
      do await new Promise<void>((resolve) => setImmediate(resolve))
      while (!system.environment.dispatcher.quiet)
    }
    const send = async (key: string, found: DynamicResult): Promise<void> => {
      const collector = new Collector()
      collector.add(found)
      const pieces = collector.pieces(mebibyte / 2)
      const profile = of(key)
      for (const [index, content] of pieces.entries()) {
        const report = {
          ...{ node: 'node', namespace: profile.metadata.namespace, name: profile.metadata.name },
          recording: recordingOf(profile)!.id,
          digest: createHash('sha256').update(key).digest('hex'),
          pieces: pieces.length,
          summary: { began: '2026-01-01T00:00:00Z', records: 1, ofRuntime: 0, lost: 0, leftOut: [], gaps: [] },
          piece: { index, content },
        }
        const answer = family.of(key).ask({ type: 'report', report }, { timeout: 15_000 })
        await settle()
        await answer
      }
    }
    const keys = Array.from({ length: 12 }, (_, i) => `hostile/m${i}`)
    for (const key of keys) await send(key, files(2_000))
    await send('quiet/web', files(20))
    const end = clock.now() + 3_600_000
    while (written.size < 13 && clock.step(end)) await settle()
    const sizeOf = (key: string): number =>
      JSON.stringify(large.get(key) ?? written.get(key)!.data.dynamicResult).length
    const all = keys.reduce((sum, key) => sum + sizeOf(key), 0)
    expect(all).to.be.within(2 * mebibyte, 13 * mebibyte)
    const { dynamicResult } = written.get('quiet/web')!.data
    expect(JSON.stringify(dynamicResult).match(/zzzzz\/f/g)).to.have.length(20)
    await system.stop({ within: 0 })
  }).timeout(120_000)
})
