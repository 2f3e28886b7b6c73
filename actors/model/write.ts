import { madeBy } from '../../src/api/annotations.ts'
import type { ArmorProfile, ArmorProfileModel, DynamicResult } from '../../src/api/types.ts'
import { canonicalJson } from '../../src/base/canonical-json.ts'
import type { WallMs } from '../../src/base/clock.ts'
import { type Kept, keptInObject } from '../../src/model/profile/kept-in-object.ts'
import type { ActorContext } from '../runtime/index.ts'
import type { BuiltProfile, ModelPorts } from './ports.ts'
import { ofManager } from './recorded-for.ts'
import type { ModelState } from './state.ts'
import { modelStatus, unchangedStatus } from './status.ts'

/**
 * Writes the model of what has come until now, and then its status: who reads that it is ready finds the profiles there.
 * @param found what the API server has of it; whoever changes it meanwhile is not overwritten
 * @param built what was made of what has come
 * @returns the model as it is then
 * @throws {PortError} when the API server does not take it
 */
export async function writeModel(
  ports: ModelPorts,
  {
    merged,
    parts,
    stored,
    lost,
    leftOutBefore,
    recording,
  }: Pick<ModelState, 'merged' | 'parts' | 'stored' | 'lost' | 'leftOutBefore' | 'recording'>,
  { metadata: { namespace = '', name } }: ArmorProfile,
  found: ArmorProfileModel | undefined,
  built: BuiltProfile,
  context: Pick<ActorContext<never>, 'wall'>,
): Promise<ArmorProfileModel> {
  const result = built.ok ? built.result : merged.state().result
  const profile = built.ok ? built.profile : undefined
  const kept = keptInObject(
    { dynamicResult: result, ...(profile !== undefined && { profile }) },
    ports.settings.largest,
  )
  const content = { storageType: kept.storageType, data: kept.data }
  const { labels, annotations } = ofManager(recording, content)
  const about = {
    ...{ namespace, name, labels: { [madeBy.key]: madeBy.value, ...labels }, annotations },
    ...(found?.metadata.resourceVersion !== undefined && { resourceVersion: found.metadata.resourceVersion }),
  }
  const model = await ports.api.applyModel({ metadata: about, ...content })
  // Now it is certain that nobody else's file goes.
  const unkept = await fileOf(ports, model, kept, result)
  const problem = [built.ok ? '' : built.problem, unkept, kept.problem].filter((text) => text !== '').join('; ')
  const leftOut = { leftOut: merged.leftOut(), leftOutBefore }
  const progress = { parts, stored, expected: [...ports.expected(), ...lost.keys()], problem, ...leftOut }
  return ports.api.writeModelStatus(model, modelStatus(progress, model.status, context.wall()))
}

/**
 * Says in the status of a model that it is left as it is, why, and what of nodes is not in it. Writes nothing that is there already.
 * @returns the model as it is then
 */
export async function writeThatItStays(
  { api }: Pick<ModelPorts, 'api'>,
  found: ArmorProfileModel,
  { late, gone }: { late: readonly string[]; gone: readonly string[] },
  now: WallMs,
): Promise<ArmorProfileModel> {
  const status = unchangedStatus(found, late, gone, now)
  return canonicalJson(status) === canonicalJson(found.status ?? {}) ? found : api.writeModelStatus(found, status)
}

/** What the object has no room for goes into a file. @returns why that cannot be kept; empty if it can */
async function fileOf(
  { files }: ModelPorts,
  model: ArmorProfileModel,
  { storageType }: Kept,
  dynamicResult: DynamicResult,
): Promise<string> {
  if (storageType === 'CRDInternal') {
    await files.remove(model)
    return ''
  }
  return files.write(model, dynamicResult).then(
    () => '',
    (error: Error) => `what was recorded is too large for an object, and cannot be kept in a file: ${error.message}`,
  )
}
