import type { ArmorProfileModel } from '../../api/types.ts'
import { foundModel } from '../models/found-model.ts'

/** How many models have their profiles, and how many do not. */
export function countModels(models: Iterable<ArmorProfileModel>): Record<'true' | 'false', number> {
  const counts = { true: 0, false: 0 }
  for (const model of models) counts[foundModel(model).ready ? 'true' : 'false']++
  return counts
}
