import type { Sample } from '../../metrics/gathered.ts'
import { type AgentMetric, type AgentSources, alone, by, type ClusterSources } from './agent-metric.ts'

/** Of an agent that loads profiles, once it runs. */
const ofCluster =
  (read: (cluster: ClusterSources) => Sample[]) =>
  ({ cluster }: AgentSources): Sample[] => {
    const now = cluster?.()
    return now === undefined ? [] : read(now)
  }

/** What the agent knows of its node, and how it is itself. */
export const nodeMetrics: readonly AgentMetric[] = [
  {
    name: 'varmor_ready',
    type: 'gauge',
    help: '1 while the node is as the policies want it, as the kubelet is answered',
    ofCluster: true,
    read: ofCluster(({ ready }) => alone(Number(ready))),
  },
  {
    name: 'varmor_profiles',
    type: 'gauge',
    help: 'ArmorProfiles that this node is to hold, by how far it is',
    labels: { state: ['loaded', 'pending', 'failed'] },
    ofCluster: true,
    read: ofCluster(({ profiles }) => by('state', profiles)),
  },
  {
    name: 'varmor_recordings',
    type: 'gauge',
    help: 'ArmorProfiles whose workloads are recorded now (mode BehaviorModeling)',
    ofCluster: true,
    read: ofCluster(({ recordings }) => alone(recordings?.open ?? 0)),
  },
  {
    name: 'varmor_recorded_records_total',
    type: 'counter',
    help: 'Records of the kernel that were taken for what a workload did, and so are no violations',
    ofCluster: true,
    read: ofCluster(({ recordings }) => alone(recordings?.records ?? 0)),
  },
  {
    name: 'varmor_recorded_records_lost_total',
    type: 'counter',
    help: 'Records that were lost, of whomever, while workloads were recorded; models say so',
    ofCluster: true,
    read: ofCluster(({ recordings }) => alone(recordings?.lost ?? 0)),
  },
  {
    name: 'varmor_containers',
    type: 'gauge',
    help: 'Running containers that are known',
    read: ({ feed }) => alone(feed.containers.size),
  },
  {
    name: 'varmor_containers_listed',
    type: 'gauge',
    help: '1 once the runtime has named all containers',
    ofCluster: true,
    read: ofCluster(({ containersListed }) => alone(Number(containersListed))),
  },
  {
    name: 'varmor_bpf_starts_wait',
    type: 'gauge',
    help: '1 while the runtime waits with each container until it is bound to its BPF profile (NRI)',
    ofCluster: true,
    read: ofCluster(({ bpf }) => alone(Number(bpf?.waits ?? false))),
  },
  {
    name: 'varmor_bpf_late_containers_total',
    type: 'counter',
    help: 'Containers that have run without their BPF profile for a while',
    ofCluster: true,
    read: ofCluster(({ bpf }) => alone(bpf?.late ?? 0)),
  },
  {
    name: 'varmor_bpf_late_seconds_max',
    type: 'gauge',
    help: 'The longest time that one of these ran so',
    ofCluster: true,
    read: ofCluster(({ bpf }) => alone((bpf?.longestLate ?? 0) / 1000)),
  },
  {
    name: 'varmor_bpf_binding_failures_total',
    type: 'counter',
    help: 'Times that containers could not be bound to their BPF profiles, or that tasks of theirs could not be looked for',
    ofCluster: true,
    read: ofCluster(({ bpf }) => alone(bpf?.failed ?? 0)),
  },
  {
    name: 'varmor_policies',
    type: 'gauge',
    help: 'Policies whose profiles are known, for what violations say of them',
    read: ({ feed }) => alone(feed.policies.size),
  },
  {
    name: 'varmor_part_failures_total',
    type: 'counter',
    help: 'Failures after which a part was begun anew',
    labels: {
      part: 'parts of the agent, fewer than ten: `source`, `workers`, `pipeline` (all three, from the source to the log), `violations` (the same, or the search for a source), `containerWatch`, …',
    },
    read: ({ restarts, counts }) => [
      ...by('part', { ...restarts(), pipeline: counts.restarts }),
      ...counts.of('restarts'),
    ],
  },
  {
    name: 'varmor_forks_followed',
    type: 'gauge',
    help: '1 while forks are followed, so that processes that have ended are known',
    read: ({ lineage }) => alone(lineage.stats === undefined ? 0 : 1),
  },
  {
    name: 'varmor_fork_processes',
    type: 'gauge',
    help: 'Processes that the fork tree knows',
    labels: { state: ['living', 'ended'] },
    read({ lineage: { stats } }) {
      return stats === undefined ? [] : by('state', { living: stats.living, ended: stats.known - stats.living })
    },
  },
  {
    name: 'varmor_fork_overruns_total',
    type: 'counter',
    help: 'Times that forks were lost because the socket, or the ring, was full; then all of /proc is read',
    read: ({ lineage }) => alone(lineage.overruns),
  },
  {
    name: 'varmor_fork_unlabelled_total',
    type: 'counter',
    help: 'Times that the fork tree could not note the container of a process: it has room for 2,047 that live',
    read: ({ lineage }) => alone(lineage.stats?.unlabelled ?? 0),
  },
]
