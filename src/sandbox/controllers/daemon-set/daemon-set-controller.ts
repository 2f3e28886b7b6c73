import { type Controller, controllerQueue, type Environment } from '../environment.ts'
import type { Change } from '../informer-store.ts'
import { controllerOf } from '../ownership.ts'
import { watchPods } from '../pod-events.ts'
import { daemonSets } from '../resources.ts'
import type { Node } from '../types.ts'
import { placement } from './daemon-pod.ts'
import { DaemonSetSync } from './daemon-set-sync.ts'

/** One pass looks at all nodes: the changes of so many milliseconds are handled by one. */
const interval = 100

/** Keeps one pod of each daemon set on each node that it is for. */
export function startDaemonSetController(environment: Environment): Controller {
  const { informers } = environment
  const queue = controllerQueue(
    environment,
    'daemonset-controller',
    async (key, client) => {
      const set = informers.daemonSets.store.get(key)
      if (set) await new DaemonSetSync(environment, client, set, (delay) => queue.addAfter(key, delay)).sync()
    },
    { interval },
  )
  informers.daemonSets.onChange(({ key }) => queue.add(key))
  watchPods(informers, informers.daemonSets, daemonSets.kind, queue)
  informers.nodes.onChange((change) => {
    if (!isNews(change)) return
    for (const set of informers.daemonSets.store.values())
      if (concerns(change, placement(set))) queue.add(`${set.metadata.namespace}/${set.metadata.name}`)
  })
  informers.controllerRevisions.onChange(({ before, after }) => {
    const { metadata } = (after ?? before)!
    const owner = controllerOf(metadata)
    if (owner?.kind === daemonSets.kind) queue.add(`${metadata.namespace}/${owner.name}`)
  })
  return { name: 'daemonset-controller', queue }
}

/** Nodes report often; only what decides on pods is of interest. */
const decisive = (node: Node | undefined): string => JSON.stringify([node?.metadata.labels, node?.spec.taints])
const isNews = ({ before, after }: Change<Node>): boolean => !before || !after || decisive(before) !== decisive(after)

function concerns({ before, after }: Change<Node>, decide: ReturnType<typeof placement>): boolean {
  const was = before && decide(before)
  const is = after && decide(after)
  return was?.runs !== is?.runs || was?.stays !== is?.stays
}
