import type { Sample } from '../../metrics/gathered.ts'
import { type AgentMetric, type AgentSources, alone, by, type ClusterSources } from './agent-metric.ts'

/** Wraps a function that reads samples, which exist only in a started agent that loads profiles. */
const ofCluster =
  (read: (cluster: ClusterSources) => Sample[]) =>
  ({ cluster }: AgentSources): Sample[] => {
    const now = cluster?.()
    return now === undefined ? [] : read(now)
  }

/** What the agent knows about its node, and the agent's own state. */
export const nodeMetrics: readonly AgentMetric[] = [
  {
    name: 'varmor_ready',
    type: 'gauge',
    help: '1 while the readiness probe of the agent succeeds',
    ofCluster: true,
    read: ofCluster(({ ready }) => alone(Number(ready))),
  },
  {
    name: 'varmor_profiles',
    type: 'gauge',
    help: 'ArmorProfiles of this node, by state',
    labels: { state: ['loaded', 'pending', 'failed'] },
    ofCluster: true,
    read: ofCluster(({ profiles }) => by('state', profiles)),
  },
  {
    name: 'varmor_recordings',
    type: 'gauge',
    help: 'ArmorProfiles whose workloads are being recorded (BehaviorModeling mode)',
    ofCluster: true,
    read: ofCluster(({ recordings }) => alone(recordings?.open ?? 0)),
  },
  {
    name: 'varmor_recorded_records_total',
    type: 'counter',
    help: 'Kernel records that were recorded as behaviour of a workload and not logged as violations',
    ofCluster: true,
    read: ofCluster(({ recordings }) => alone(recordings?.records ?? 0)),
  },
  {
    name: 'varmor_recorded_records_lost_total',
    type: 'counter',
    help: 'Records of any workload that were lost during a recording; the status of the affected models shows this',
    ofCluster: true,
    read: ofCluster(({ recordings }) => alone(recordings?.lost ?? 0)),
  },
  {
    name: 'varmor_containers',
    type: 'gauge',
    help: 'Running containers that the agent knows',
    read: ({ feed }) => alone(feed.containers.size),
  },
  {
    name: 'varmor_containers_listed',
    type: 'gauge',
    help: '1 once the runtime has listed all containers',
    ofCluster: true,
    read: ofCluster(({ containersListed }) => alone(Number(containersListed))),
  },
  {
    name: 'varmor_bpf_starts_wait',
    type: 'gauge',
    help: '1 while the runtime delays each container start until the container has its BPF profile (NRI)',
    ofCluster: true,
    read: ofCluster(({ bpf }) => alone(Number(bpf?.waits ?? false))),
  },
  {
    name: 'varmor_bpf_late_containers_total',
    type: 'counter',
    help: 'Containers that ran without their BPF profile for some time',
    ofCluster: true,
    read: ofCluster(({ bpf }) => alone(bpf?.late ?? 0)),
  },
  {
    name: 'varmor_bpf_late_seconds_max',
    type: 'gauge',
    help: 'Longest time that a container ran without its BPF profile',
    ofCluster: true,
    read: ofCluster(({ bpf }) => alone((bpf?.maxLate ?? 0) / 1000)),
  },
  {
    name: 'varmor_bpf_binding_failures_total',
    type: 'counter',
    help: 'Times that a container could not get its BPF profile, or that its tasks could not be listed',
    ofCluster: true,
    read: ofCluster(({ bpf }) => alone(bpf?.failed ?? 0)),
  },
  {
    name: 'varmor_policies',
    type: 'gauge',
    help: 'Policies that the agent knows; violations name these policies',
    read: ({ feed }) => alone(feed.policies.size),
  },
  {
    name: 'varmor_part_failures_total',
    type: 'counter',
    help: 'Restarts of an agent component after a failure',
    labels: {
      part: 'components of the agent, fewer than ten: `source`, `workers`, `pipeline` (from the source to the log), `violations` (the pipeline, or the search for a source), `containerWatch`, …',
    },
    read: ({ restarts, counts }) => [
      ...by('part', { ...restarts(), pipeline: counts.restarts }),
      ...counts.of('restarts'),
    ],
  },
  {
    name: 'varmor_forks_followed',
    type: 'gauge',
    help: '1 while the agent follows forks, so that it also knows the containers of processes that have exited',
    read: ({ lineage }) => alone(lineage.stats === undefined ? 0 : 1),
  },
  {
    name: 'varmor_fork_processes',
    type: 'gauge',
    help: 'Processes in the fork tree',
    labels: { state: ['living', 'ended'] },
    read({ lineage: { stats } }) {
      return stats === undefined ? [] : by('state', { living: stats.living, ended: stats.known - stats.living })
    },
  },
  {
    name: 'varmor_fork_overruns_total',
    type: 'counter',
    help: 'Times that forks were lost because the socket or the ring was full; the agent then reads all of /proc',
    read: ({ lineage }) => alone(lineage.overruns),
  },
  {
    name: 'varmor_fork_unlabelled_total',
    type: 'counter',
    help: 'Times that the fork tree could not store the container of a process, because all 2,047 container labels were in use',
    read: ({ lineage }) => alone(lineage.stats?.unlabelled ?? 0),
  },
]
