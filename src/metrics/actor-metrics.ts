import type { Metric, Registry } from 'prom-client'
import { deadLetterReasons, type Stats, type SystemStats } from '../../actors/runtime/index.ts'
import { gathered, type Sample } from './gathered.ts'

interface FamilyMetric {
  name: string
  type: 'counter' | 'gauge'
  help: string
  of: (stats: Stats) => number
}

const perFamily: readonly FamilyMetric[] = [
  { name: 'messages_sent_total', type: 'counter', help: 'Messages sent to actors', of: ({ sent }) => sent },
  { name: 'messages_processed_total', type: 'counter', help: 'Messages handled', of: ({ processed }) => processed },
  {
    name: 'messages_failed_total',
    type: 'counter',
    help: 'Messages that made their actor fail',
    of: ({ failed }) => failed,
  },
  {
    name: 'messages_coalesced_total',
    type: 'counter',
    help: 'Messages replaced by newer ones',
    of: ({ coalesced }) => coalesced,
  },
  { name: 'messages_queued', type: 'gauge', help: 'Messages in mailboxes now', of: ({ queued }) => queued },
  {
    name: 'mailbox_deepest',
    type: 'gauge',
    help: 'Highest number of messages in one mailbox',
    of: ({ deepest }) => deepest,
  },
  {
    name: 'restarts_total',
    type: 'counter',
    help: 'Restarts of actors after a failure',
    of: ({ restarts }) => restarts,
  },
  { name: 'live', type: 'gauge', help: 'Actors with an instance in memory', of: ({ live }) => live },
  {
    name: 'passivated',
    type: 'gauge',
    help: 'Actors whose instance was released; only their compact state is in memory',
    of: ({ passivated }) => passivated,
  },
]

/** The counts of an actor system by family of actors, read at each scrape. */
export function actorMetrics(registry: Registry, stats: () => Pick<SystemStats, 'families'>): Metric[] {
  const families = (): [string, Stats][] => Object.entries(stats().families)
  const metrics = perFamily.map(({ name, type, help, of }) =>
    gathered(registry, { name: `varmor_actor_${name}`, type, help, labelNames: ['family'] }, () =>
      families().map(([family, counters]): Sample => ({ labels: { family }, value: of(counters) })),
    ),
  )
  const letters = gathered(
    registry,
    {
      name: 'varmor_actor_dead_letters_total',
      type: 'counter',
      help: 'Messages that no actor received',
      labelNames: ['family', 'reason'],
    },
    () => [
      ...families().flatMap(([family, { deadLetters }]) =>
        deadLetterReasons.map((reason): Sample => ({ labels: { family, reason }, value: deadLetters[reason] })),
      ),
    ],
  )
  return [...metrics, letters]
}
