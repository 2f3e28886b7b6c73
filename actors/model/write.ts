import { madeBy } from '../../src/api/annotations.ts'
import type { ArmorProfile, DynamicResult, Profile } from '../../src/api/types.ts'
import { type Kept, keptInObject } from '../../src/model/profile/kept-in-object.ts'
import type { ActorContext } from '../runtime/index.ts'
import type { ModelPorts } from './ports.ts'
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

/** In the object as far as that has room, else in a file; what cannot be kept either way is said. */
async function storage(
  { files, settings }: ModelPorts,
  key: string,
  dynamicResult: DynamicResult,
  profile: Profile | undefined,
): Promise<Kept> {
  const kept = keptInObject({ dynamicResult, ...(profile !== undefined && { profile }) }, settings.largest)
  if (kept.storageType === 'CRDInternal') {
    await files.remove(key)
    return kept
  }
  const problem = await files.write(key, dynamicResult).then(
    () => '',
    (error: Error) => `what was recorded is too large for an object, and cannot be kept in a file: ${error.message}`,
  )
  return { ...kept, problem: [problem, kept.problem].filter((text) => text !== '').join('; ') }
}
