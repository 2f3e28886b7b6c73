import { group, version } from '../api/crds.ts'
import type { ArmorProfile, ArmorProfileModel, VarmorClusterPolicy, VarmorPolicy } from '../api/types.ts'
import type { KubeObject } from './objects.ts'
import { defineResource } from './resources.ts'

const ours = { group, version }

export const varmorPolicies = defineResource<VarmorPolicy & KubeObject>({
  ...ours,
  plural: 'varmorpolicies',
  kind: 'VarmorPolicy',
  namespaced: true,
})

export const varmorClusterPolicies = defineResource<VarmorClusterPolicy & KubeObject>({
  ...ours,
  plural: 'varmorclusterpolicies',
  kind: 'VarmorClusterPolicy',
  namespaced: false,
})

export const armorProfiles = defineResource<ArmorProfile & KubeObject>({
  ...ours,
  plural: 'armorprofiles',
  kind: 'ArmorProfile',
  namespaced: true,
})

export const armorProfileModels = defineResource<ArmorProfileModel & KubeObject>({
  ...ours,
  plural: 'armorprofilemodels',
  kind: 'ArmorProfileModel',
  namespaced: true,
})
