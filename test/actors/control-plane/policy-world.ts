import { expect } from 'chai'
import { World } from './world.ts'

/** Resolves when the policy is ready and no actor has failed. */
export async function ready(world: World, key: string): Promise<void> {
  const isReady = await world.runUntil(() => world.getPolicy(key)?.status?.ready === true, 60_000)
  expect(isReady, JSON.stringify(world.getPolicy(key)?.status)).to.equal(true)
  expect(world.manager?.failures).to.deep.equal([])
}

/** A world with a manager, and with agents on this many nodes. */
export function worldOf(nodes: number, options = {}): World {
  const world = new World(options)
  for (let i = 0; i < nodes; i++) world.addNode(`node-${i}`)
  world.startManager()
  return world
}
