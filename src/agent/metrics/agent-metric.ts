import type { SystemStats } from '../../../actors/runtime/index.ts'
import type { SnapshotFeed } from '../../audit/enrich/snapshot-feed.ts'
import type { ForkStats } from '../../audit/lineage/fork-addon.ts'
import type { SilenceWatch } from '../../audit/source/silence-watch.ts'
import type { Sample } from '../../metrics/gathered.ts'
import type { BindingStatus } from '../bpf/bpf-binding.ts'
import type { ViolationCounts } from '../violations/violation-counts.ts'

/** The objects from which an agent's metrics are read at each scrape. */
export interface AgentSources {
  counts: ViolationCounts
  feed: Pick<SnapshotFeed, 'containers' | 'policies'>
  lineage: {
    /** Undefined while forks are not followed. */
    readonly stats: ForkStats | undefined
    readonly overruns: number
  }
  silence: Pick<SilenceWatch, 'samples' | 'enabled'>
  /** How often each component was restarted. */
  restarts: () => Readonly<Record<string, number>>
  /** Sources of an agent that loads profiles; defined when the agent runs. */
  cluster?: () => ClusterSources | undefined
}

export interface ClusterSources {
  ready: boolean
  profiles: Readonly<Record<'loaded' | 'pending' | 'failed', number>>
  containersListed: boolean
  actors: Pick<SystemStats, 'families'>
  /** Recordings of workloads whose policies model behaviour. */
  recordings?: { open: number; records: number; lost: number }
  /** Status of BPF bindings, if the agent has a BPF enforcer. */
  bpf?: BindingStatus & { waits: boolean }
}

/** The values of a label: all values, or a description with the maximum number of values. */
export type LabelValues = readonly string[] | string

/** A metric, for the registry and for METRICS.md. */
export interface AgentMetric {
  name: string
  type: 'counter' | 'gauge'
  help: string
  labels?: Readonly<Record<string, LabelValues>>
  /** Only agents that load profiles have this metric. */
  ofCluster?: boolean
  /** Values with equal labels are added. */
  read(sources: AgentSources): readonly Sample[]
}

/** One value without labels. */
export const alone = (value: number): Sample[] => [{ labels: {}, value }]

/** One sample for each key, under one label. */
export const by = (label: string, values: Readonly<Record<string, number | undefined>>): Sample[] =>
  Object.entries(values).map(([of, value = 0]) => ({ labels: { [label]: of }, value }))
