import { defaultModelSettings, type ModelApi, type ModelFiles } from '../../../actors/model/ports.ts'
import { byOthers } from '../../../actors/model/recorded-for.ts'
import { madeBy } from '../../api/annotations.ts'
import { recordingOf } from '../../api/recording.ts'
import type { ArmorProfile, ArmorProfileModel } from '../../api/types.ts'
import type { ApiClient } from '../../kube/client.ts'
import { armorProfileModels } from '../../kube/own-kinds.ts'
import { keptInObject, sizeOf } from '../../model/profile/kept-in-object.ts'
import type { ModelRoutesOptions, ModelTarget } from '../http/model-routes.ts'
import type { ModelFolder } from './model-folder.ts'

export interface StoredModelsOptions {
  client: ApiClient
  api: Pick<ModelApi, 'applyModel' | 'writeModelStatus'>
  files: ModelFiles & Pick<ModelFolder, 'checkRoom'>
  /** Whether this manager leads, and which manager leads, if known. */
  leadership: () => { leads: boolean; leader: string | null }
  /** The ArmorProfile of this key, if known. */
  profile: (key: string) => ArmorProfile | undefined
  /** As in ModelSettings. */
  largest?: number
}

/** Reads and writes whole models for users: with the recorded data, wherever it is stored. */
export function storedModels(options: StoredModelsOptions): Pick<ModelRoutesOptions, 'read' | 'write'> {
  const { client, api, files, leadership, profile, largest = defaultModelSettings.largest } = options
  const read = async (target: ModelTarget): ReturnType<ModelRoutesOptions['read']> => {
    const model = await client.get(armorProfileModels, target)
    if (model.storageType !== 'LocalDisk') return model
    const dynamicResult = await files.read(model)
    if (dynamicResult === undefined) return { elsewhere: leadership().leader }
    return { ...model, data: { ...model.data, dynamicResult } }
  }
  const write = async (model: ArmorProfileModel): ReturnType<ModelRoutesOptions['write']> => {
    const { namespace = '', name } = model.metadata
    const ofProfile = profile(keyOf({ namespace, name }))
    const recording = ofProfile && recordingOf(ofProfile)
    // The written model replaces the recording: a late part of the recording must not overwrite the model.
    const marks = recording?.open === false ? byOthers(recording.id) : { labels: {} }
    const document = {
      metadata: { namespace, name, ...marks, labels: { [madeBy.key]: madeBy.value, ...marks.labels } },
    }
    const { dynamicResult, ...rest } = model.data
    if (sizeOf(rest) > largest)
      return {
        tooLarge: `the profiles have ${sizeOf(rest)} bytes; the limit of the API server for an object is ${largest}`,
      }
    const { storageType, data } = keptInObject(model.data, largest)
    const isLarge = storageType === 'LocalDisk'
    const { leads, leader } = leadership()
    if (isLarge && !leads) return { elsewhere: leader }
    // Write the object first, because the server may refuse it. But check the room before: a model whose file does not
    // fit must not replace another model.
    if (isLarge && dynamicResult !== undefined) await files.checkRoom(document, dynamicResult)
    const applied = await api.applyModel({ ...document, storageType, data })
    if (isLarge && dynamicResult !== undefined)
      await files.write(applied, dynamicResult).catch(async (error: unknown) => {
        // A replaced object keeps its uid, so the old file would count as the content of the new object.
        await files.remove(applied)
        throw error
      })
    else await files.remove(applied)
    // No recording reports that an imported model is ready, so the import does.
    return api.writeModelStatus(applied, { ready: model.data.profile !== undefined, conditions: [] })
  }
  return { read, write }
}

const keyOf = ({ namespace, name }: ModelTarget): string => `${namespace}/${name}`
