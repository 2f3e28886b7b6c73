import { profile } from './armor-profile.ts'
import { dynamicResult } from './behaviour.ts'
import { choice, flag, integer, list, object, optional, text } from './build.ts'
import { conditionFields, objectMeta, typeMeta } from './common.ts'

export const staticResult = object('What was found without running them.', {})

export const storageTypes = ['CRDInternal', 'LocalDisk', 'PV/PVC'] as const

export const armorProfileModelData = object('What was recorded, and the profiles made of it.', {
  dynamicResult: optional(dynamicResult),
  staticResult: optional(staticResult),
  profile: optional(profile),
})

export const armorProfileModelCondition = object('How a node fared.', {
  type: text('What the condition is about.'),
  ...conditionFields,
  nodeName: text('Name of the node.'),
})

export const armorProfileModelStatus = object('How far the recording has come.', {
  desiredNumber: optional(integer('Number of nodes that are to send results.', { format: 'int32' })),
  completedNumber: optional(integer('Number of nodes that have sent them.', { format: 'int32' })),
  ready: flag('The profiles are there.'),
  conditions: optional(list('Nodes that failed, and why.', armorProfileModelCondition)),
})

export const armorProfileModel = object('The result of behaviour modelling.', {
  ...typeMeta('ArmorProfileModel'),
  metadata: objectMeta,
  storageType: optional(
    choice('Where the data is: in this object (CRDInternal) or in a file of the manager (LocalDisk).', storageTypes),
  ),
  data: armorProfileModelData,
  status: optional(armorProfileModelStatus),
})
