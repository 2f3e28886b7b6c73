import { type Controller, controllerQueue, type Environment } from '../environment.ts'
import { BY_NAMESPACE } from '../informers.ts'
import { controllerOf, selects } from '../ownership.ts'
import type { ReplicaSet } from '../types.ts'
import { DeploymentSync } from './deployment-sync.ts'

/** Rolls deployments out by the sizes of their replica sets. */
export function startDeploymentController(environment: Environment): Controller {
  const { informers } = environment
  const queue = controllerQueue(environment, 'deployment-controller', async (key, client) => {
    const deployment = informers.deployments.store.get(key)
    if (!deployment) return
    await new DeploymentSync(environment, client, deployment, (delay) => queue.addAfter(key, delay)).sync()
  })
  informers.deployments.onChange(({ key }) => queue.add(key))
  informers.replicaSets.onChange(({ before, after }) => {
    for (const set of [before, after]) if (set) for (const key of deploymentsOf(environment, set)) queue.add(key)
  })
  // A deployment that recreates waits for the last old pod; no replica set changes when that one is gone.
  informers.pods.onChange(({ before, after }) => {
    if (!before || after) return
    const owner = controllerOf(before.metadata)
    if (owner?.kind !== 'ReplicaSet') return
    const set = informers.replicaSets.store.get(`${before.metadata.namespace}/${owner.name}`)
    for (const key of set ? deploymentsOf(environment, set) : [])
      if (informers.deployments.store.get(key)?.spec.strategy.type === 'Recreate') queue.add(key)
  })
  return { name: 'deployment-controller', queue }
}

/** The owner of a replica set, or, while it has none, whoever might adopt it. */
function deploymentsOf({ informers }: Environment, { metadata }: ReplicaSet): string[] {
  const owner = controllerOf(metadata)
  const { namespace = '' } = metadata
  if (owner) return owner.kind === 'Deployment' ? [`${namespace}/${owner.name}`] : []
  return informers.deployments.store
    .find(BY_NAMESPACE, namespace)
    .filter(({ spec }) => selects(spec.selector, metadata.labels))
    .map((deployment) => `${namespace}/${deployment.metadata.name}`)
}
