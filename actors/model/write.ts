import { madeBy } from '../../src/api/annotations.ts'
import type { ArmorProfile, DynamicResult, Profile } from '../../src/api/types.ts'
import type { ActorContext } from '../runtime/index.ts'
import type { ModelDocument, ModelPorts } from './ports.ts'
import { RECORDED_FOR } from './recorded-for.ts'
import type { ModelState } from './state.ts'
import { modelStatus } from './status.ts'

/**
 * Writes the model of what has come until now, and then its status: who reads that it is ready finds the profiles there.
 * @throws {PortError} when the API server does not take it
 */
export async function writeModel(
  ports: ModelPorts,
  { merged, parts, stored, recording }: Pick<ModelState, 'merged' | 'parts' | 'stored' | 'recording'>,
  armorProfile: ArmorProfile,
  context: Pick<ActorContext<never>, 'key' | 'now'>,
): Promise<void> {
  const { metadata, spec } = armorProfile
  const { namespace = '', name } = metadata
  const recorded = merged.state().result
  const built = await ports.build(recorded, spec.profile, namespace)
  const result = built.ok ? built.result : recorded
  const about = { metadata: { namespace, name, labels: { [madeBy.key]: madeBy.value, [RECORDED_FOR]: recording } } }
  const profile = built.ok ? built.profile : undefined
  const place = await storage(ports, context.key, result, profile)
  const problem = [built.ok ? '' : built.problem, place.problem].filter((text) => text !== '').join('; ')
  const model = await ports.api.applyModel({ ...about, storageType: place.storageType, data: place.data })
  const progress = { parts, stored, expected: ports.expected(), problem, leftOut: merged.leftOut() }
  const status = modelStatus(progress, model.status, context.now())
  await ports.api.writeModelStatus(model, status)
}

type Stored = Pick<ModelDocument, 'storageType' | 'data'> & { problem: string }

/** In the object as far as that has room, else in a file; what cannot be kept either way is said. */
async function storage(
  { files, settings }: ModelPorts,
  key: string,
  dynamicResult: DynamicResult,
  profile: Profile | undefined,
): Promise<Stored> {
  const ofProfile = profile === undefined ? {} : { profile }
  const whole = { dynamicResult, ...ofProfile }
  if (sizeOf(whole) <= settings.largest) {
    await files.remove(key)
    return { storageType: 'CRDInternal', data: whole, problem: '' }
  }
  const problem = await files.write(key, dynamicResult).then(
    () => '',
    (error: Error) => `what was recorded is too large for an object, and cannot be kept in a file: ${error.message}`,
  )
  if (sizeOf(ofProfile) <= settings.largest) return { storageType: 'LocalDisk', data: ofProfile, problem }
  const tooLarge = `the profile takes ${sizeOf(ofProfile)} bytes, and an object of the API server ${settings.largest}; record a workload that does less, or several policies`
  return { storageType: 'LocalDisk', data: {}, problem: [problem, tooLarge].filter((text) => text !== '').join('; ') }
}

const sizeOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))
