import { madeBy } from '../../src/api/annotations.ts'
import type { ArmorProfile, ArmorProfileModel, DynamicResult, Profile } from '../../src/api/types.ts'
import { canonicalJson } from '../../src/base/canonical-json.ts'
import { type Kept, keptInObject } from '../../src/model/profile/kept-in-object.ts'
import type { ActorContext } from '../runtime/index.ts'
import type { ModelPorts } from './ports.ts'
import { modelDigest, RECORDED_DATA, RECORDED_FOR } from './recorded-for.ts'
import type { ModelState } from './state.ts'
import { isWhole, modelStatus, unchangedStatus } from './status.ts'

/**
 * Writes the model of what has come until now, and then its status: who reads that it is ready finds the profiles there.
 * @param found what the API server has of it, as we have written it; whoever changes it meanwhile is not overwritten
 * @throws {PortError} when the API server does not take it
 */
export async function writeModel(
  ports: ModelPorts,
  { merged, parts, stored, lost, leftOutBefore, recording }: Omit<ModelState, 'over' | 'dirty' | 'written'>,
  armorProfile: ArmorProfile,
  found: ArmorProfileModel | undefined,
  context: Pick<ActorContext<never>, 'key' | 'now'>,
): Promise<void> {
  const { metadata, spec } = armorProfile
  const { namespace = '', name } = metadata
  const recorded = merged.state().result
  const built = await ports.build(recorded, spec.profile, namespace)
  const result = built.ok ? built.result : recorded
  const profile = built.ok ? built.profile : undefined
  const place = await storage(ports, context.key, result, profile)
  const problem = [built.ok ? '' : built.problem, place.problem].filter((text) => text !== '').join('; ')
  const content = { storageType: place.storageType, data: place.data }
  const about = {
    ...{ namespace, name, labels: { [madeBy.key]: madeBy.value, [RECORDED_FOR]: recording } },
    annotations: { [RECORDED_DATA]: modelDigest(content) },
    ...(found?.metadata.resourceVersion !== undefined && { resourceVersion: found.metadata.resourceVersion }),
  }
  const model = await ports.api.applyModel({ metadata: about, ...content })
  const leftOut = { leftOut: merged.leftOut(), leftOutBefore }
  const progress = { parts, stored, expected: [...ports.expected(), ...lost], problem, ...leftOut }
  const status = modelStatus(progress, model.status, context.now())
  await ports.api.writeModelStatus(model, status)
}

/** Says in the status of a model that it is left as it is, why, and what of nodes is not in it. Writes nothing that is there already. */
export async function writeThatItStays(
  { api }: Pick<ModelPorts, 'api'>,
  found: ArmorProfileModel,
  { parts, lost, gone }: Pick<ModelState, 'parts' | 'lost'> & { gone: readonly string[] },
  context: Pick<ActorContext<never>, 'now'>,
): Promise<void> {
  const late = [...parts].filter(([node, part]) => isWhole(part) && !part.stored && !lost.has(node))
  const names = late.map(([node]) => node).sort()
  const status = unchangedStatus(found.status, names, gone, context.now())
  if (canonicalJson(status) !== canonicalJson(found.status ?? {})) await api.writeModelStatus(found, status)
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
