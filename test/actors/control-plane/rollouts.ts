import { expect } from 'chai'
import { policySpec, World, type WorldOptions } from './world.ts'

export const PROFILE = 'localhost/varmor-demo-web'
/** Labels of workloads that opt in; the policies of these tests select these labels. */
export const labels = (more: Record<string, string> = {}) => ({
  app: 'web',
  'sandbox.varmor.org/enable': 'true',
  ...more,
})
export const restarting = (more = {}) => policySpec({ updateExistingWorkloads: true, ...more })

/** Two nodes, and Deployments that existed before the manager. */
export function worldOf(workloads: number, options: WorldOptions = {}): { world: World; names: string[] } {
  const world = new World(options)
  world.addNode('node-0')
  world.addNode('node-1')
  const names = Array.from({ length: workloads }, (_, i) =>
    world.workload('Deployment', `web-${i}`, { labels: labels() }),
  )
  world.startManager()
  return { world, names }
}

export async function done(world: World, key: string): Promise<void> {
  const isDone = await world.runUntil(() => world.getPolicy(key)?.status?.restart?.done === true, 600_000)
  expect(isDone, JSON.stringify(world.getPolicy(key)?.status)).to.equal(true)
}
