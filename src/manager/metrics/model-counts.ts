import type { ArmorProfileModel } from '../../api/types.ts'
import { foundModel } from '../models/found-model.ts'

/** Number of models with and without profiles. */
export function countModels(models: Iterable<ArmorProfileModel>): Record<'true' | 'false', number> {
  const counts = { true: 0, false: 0 }
  for (const model of models) counts[foundModel(model).ready ? 'true' : 'false']++
  return counts
}
