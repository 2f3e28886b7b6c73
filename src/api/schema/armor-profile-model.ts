import { profile } from './armor-profile.ts'
import { dynamicResult } from './behaviour.ts'
import { choice, flag, integer, list, object, optional, text } from './build.ts'
import { conditionFields, objectMeta, typeMeta } from './common.ts'

export const staticResult = object('Results that do not need a running workload.', {})

export const storageTypes = ['CRDInternal', 'LocalDisk', 'PV/PVC'] as const

export const armorProfileModelData = object('The recording, and the profiles that vArmor made from the recording.', {
  dynamicResult: optional(dynamicResult),
  staticResult: optional(staticResult),
  profile: optional(profile),
})

export const armorProfileModelCondition = object('State of one node.', {
  type: text('Type of the condition.'),
  ...conditionFields,
  nodeName: text('Name of the node.'),
})

export const armorProfileModelStatus = object('Progress of the recording.', {
  desiredNumber: optional(integer('Number of nodes that must send results.', { format: 'int32' })),
  completedNumber: optional(integer('Number of nodes that have sent results.', { format: 'int32' })),
  ready: flag('The profiles exist.'),
  conditions: optional(list('State of the nodes, and errors.', armorProfileModelCondition)),
})

export const armorProfileModel = object('The result of behaviour modelling.', {
  ...typeMeta('ArmorProfileModel'),
  metadata: objectMeta,
  storageType: optional(
    choice(
      'Where the data is stored: in this object (CRDInternal) or in a file of the manager (LocalDisk).',
      storageTypes,
    ),
  ),
  data: armorProfileModelData,
  status: optional(armorProfileModelStatus),
})
