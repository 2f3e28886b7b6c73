import { busyboxImage } from '../binaries/images.ts'
import type { Cluster } from '../cluster.ts'
import type { CommandResult } from '../command.ts'
import { eventually } from '../wait.ts'

export interface WorkloadOptions {
  name: string
  labels?: Record<string, string>
  /** Annotations of the pods. */
  annotations?: Record<string, string>
  replicas?: number
  /** Additional fields of containers, by container name. Default: one container `main`. */
  containers?: Record<string, object>
  /** Shell script of the pods; default: waits. */
  script?: string
}

/** A Deployment whose pods are spread over the nodes and end at once on SIGTERM. */
export function deployment({ name, labels = {}, annotations = {}, replicas = 2, ...rest }: WorkloadOptions): object {
  const app = { workload: name }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: {
      replicas,
      selector: { matchLabels: app },
      template: {
        metadata: { labels: app, annotations },
        spec: {
          ...podSpec(rest),
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'DoNotSchedule',
              labelSelector: { matchLabels: app },
              // Counts only pods of the newest template; ending pods would count otherwise.
              matchLabelKeys: ['pod-template-hash'],
            },
          ],
        },
      },
    },
  }
}

export function pod({ name, labels = {}, annotations = {}, ...rest }: WorkloadOptions): object {
  const spec = { ...podSpec(rest), restartPolicy: 'Never' }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels, annotations }, spec }
}

const wait = "trap 'exit 0' TERM; while :; do sleep 0.2; done"

function podSpec({
  containers = { main: {} },
  script = wait,
}: Omit<WorkloadOptions, 'name' | 'labels' | 'annotations' | 'replicas'>): object {
  return {
    terminationGracePeriodSeconds: 2,
    automountServiceAccountToken: false,
    containers: Object.entries(containers).map(([name, fields]) => ({
      ...{ name, image: busyboxImage, command: ['sh', '-c', script] },
      ...fields,
    })),
  }
}

interface StoredContainer {
  name: string
  containerID?: string
  restartCount: number
  state?: { running?: object }
}

/** The fields of a stored pod that tests read. */
export interface StoredPod {
  metadata: { name: string; uid: string; annotations?: Record<string, string>; deletionTimestamp?: string }
  spec: { nodeName?: string; containers: { name: string; securityContext?: { seccompProfile?: object } }[] }
  status: { phase: string; containerStatuses?: StoredContainer[] }
}

export interface StoredDeployment {
  metadata: { name: string; generation: number }
  spec: { replicas: number; template: { metadata: { annotations?: Record<string, string> } } }
  status: Partial<Record<'observedGeneration' | 'replicas' | 'updatedReplicas' | 'availableReplicas', number>>
}

/** Actions of a test in its namespace. */
export class Workloads {
  readonly cluster: Cluster
  readonly namespace: string

  constructor(cluster: Cluster, namespace: string) {
    this.cluster = cluster
    this.namespace = namespace
  }

  kubectl(...args: string[]): Promise<string> {
    return this.cluster.kubectl(['-n', this.namespace, ...args])
  }

  async apply(...items: object[]): Promise<void> {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
    await this.cluster.kubectl(['-n', this.namespace, 'apply', '-f', '-'], { input })
  }

  async rolledOut(name: string): Promise<void> {
    await this.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=240s')
  }

  async deployments(): Promise<StoredDeployment[]> {
    return JSON.parse(await this.kubectl('get', 'deployments', '-o', 'json')).items
  }

  /** The workload's pods that are not ending. */
  async pods(workload: string): Promise<StoredPod[]> {
    const { items } = JSON.parse(await this.kubectl('get', 'pods', '-l', `workload=${workload}`, '-o', 'json'))
    return (items as StoredPod[]).filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  }

  async pod(name: string): Promise<StoredPod> {
    return JSON.parse(await this.kubectl('get', 'pod', name, '-o', 'json'))
  }

  async running(name: string): Promise<StoredPod> {
    return eventually(`the pod ${name} to run`, async () => {
      const found = await this.pod(name)
      if (found.status.phase === 'Running') return found
      throw new Error(JSON.stringify(found.status))
    })
  }

  /** Runs a command in a container of the pod, whatever its exit status. */
  exec(name: string, container: string, ...command: string[]): Promise<CommandResult> {
    return this.cluster.tryKubectl(['-n', this.namespace, 'exec', name, '-c', container, '--', ...command])
  }

  /**
   * Runs a command that then executes its further arguments. These wait until `seen` returns true, so that the process
   * exists while the agent reads its records.
   * @throws if the command fails
   */
  async execUntil(name: string, command: readonly string[], what: string, seen: () => boolean): Promise<void> {
    const waiting = ['sh', '-c', 'until [ -e /tmp/seen ]; do sleep 0.1; done']
    const running = this.exec(name, 'main', ...command, ...waiting)
    try {
      await eventually(what, async () => seen())
    } finally {
      await this.exec(name, 'main', 'touch', '/tmp/seen')
    }
    const { status, stderr } = await running
    await this.exec(name, 'main', 'rm', '/tmp/seen') // the next command waits again
    if (status !== 0) throw new Error(`${command.join(' ')}: exit status ${status}; ${stderr}`)
  }

  /**
   * Tells whether the container's first process has a Seccomp filter (proc(5), `Seccomp`: 0 without, 2 with a filter).
   */
  async filtered(name: string, container = 'main'): Promise<boolean> {
    const { stdout } = await this.exec(name, container, 'grep', '^Seccomp:', '/proc/1/status')
    return stdout.trim().endsWith('2')
  }
}

/**
 * Tells whether a Deployment has changed since its creation, and not all of its pods are available with the newest
 * template.
 */
export function isRolling({ metadata, spec, status }: StoredDeployment): boolean {
  if (metadata.generation === 1) return false
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status
  const whole = [replicas, updatedReplicas, availableReplicas].every((count) => count === spec.replicas)
  return observedGeneration < metadata.generation || !whole
}
