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
 * Writes the model of all parts that have arrived, then its status, so that a client that reads "ready" finds the
 * profiles. Does not overwrite changes that other clients made after `found` was read. @throws {PortError} the server
 * refuses the write
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
  // Write the file after the object: only now is it certain that an old file belongs to this model, and may be replaced
  // or removed.
  const unkept = await fileOf(ports, model, kept, result)
  const problem = [built.ok ? '' : built.problem, unkept, kept.problem].filter((text) => text !== '').join('; ')
  const leftOut = { leftOut: merged.leftOut(), leftOutBefore }
  const progress = { parts, stored, expected: [...ports.expected(), ...lost.keys()], problem, ...leftOut }
  return ports.api.writeModelStatus(model, modelStatus(progress, model.status, context.wall()))
}

/**
 * Writes into the status that the manager no longer changes the model, why, and which nodes' parts the model lacks.
 * Skips a write that changes nothing.
 * @returns the model after the write
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

/** Writes data that is too large for the object to a file. @returns the reason if that failed; otherwise empty */
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
    (error: Error) => `the recording is too large for an object, and cannot be stored in a file: ${error.message}`,
  )
}
