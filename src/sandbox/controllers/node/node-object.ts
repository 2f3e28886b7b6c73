import { timestamp } from '../../api-server/context.ts'
import type { NewObject } from '../cluster-client.ts'
import type { Condition, Node, NodeStatus, Taint } from '../types.ts'

/** A node as it is to appear. */
export interface NodeDescription {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly taints?: readonly Taint[]
  /** By default 8 CPUs, 32 GiB and 110 pods. */
  readonly capacity?: Readonly<Record<string, string>>
  /** Where the API server reaches its kubelet, if that is another address than the node's own. */
  readonly externalAddress?: string
  /** Of its kubelet; 10250 when left out. */
  readonly kubeletPort?: number
  /** What it says of its machine and runtime, over what is made up. */
  readonly info?: Readonly<Record<string, string>>
  /** Of the node; one that is made up when left out. */
  readonly address?: string
  /** The block that its pods' addresses come from; one that is made up when left out. */
  readonly podCidr?: string
}

const usualCapacity = { cpu: '8', memory: '32Gi', 'ephemeral-storage': '100Gi', pods: '110' }

/** The nth made-up block of 256 addresses: 10.x.y.0/24, a quarter of a million of which do not overlap in the first 65,536. */
export const podCidrOf = (index: number): string => `10.${(index >> 8) & 255}.${index & 255}.0/24`
export const addressOf = (index: number): string => `172.16.${(index >> 8) & 255}.${index & 255}`

export function newNode({ name, labels, annotations, taints, info }: NodeDescription, podCidr?: string): NewObject {
  const architecture = info?.['architecture'] ?? 'amd64'
  return {
    metadata: {
      name,
      labels: {
        'beta.kubernetes.io/arch': architecture,
        'beta.kubernetes.io/os': 'linux',
        'kubernetes.io/arch': architecture,
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        ...labels,
      },
      ...(annotations ? { annotations: { ...annotations } } : {}),
    },
    spec: {
      ...(podCidr === undefined ? {} : { podCIDR: podCidr, podCIDRs: [podCidr] }),
      ...(taints ? { taints: taints.map((taint) => ({ ...taint })) } : {}),
    },
  }
}

const conditions: readonly [string, string, string, string][] = [
  ['MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
  ['DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
  ['PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
]

/** What a kubelet reports of its node. */
export function nodeStatus(description: NodeDescription, address: string, ready: boolean, now: number): NodeStatus {
  const capacity = { ...usualCapacity, ...description.capacity }
  const time = timestamp(now)
  const condition = (type: string, status: string, reason: string, message: string): Condition => ({
    type,
    status,
    lastHeartbeatTime: time,
    lastTransitionTime: time,
    reason,
    message,
  })
  return {
    capacity,
    allocatable: capacity,
    conditions: [
      ...conditions.map((one) => condition(...one)),
      ready
        ? condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status')
        : condition('Ready', 'False', 'KubeletNotReady', 'container runtime is down'),
    ],
    addresses: [
      { type: 'InternalIP', address },
      ...(description.externalAddress === undefined
        ? []
        : [{ type: 'ExternalIP', address: description.externalAddress }]),
      { type: 'Hostname', address: description.name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: description.kubeletPort ?? 10_250 } },
    nodeInfo: {
      architecture: 'amd64',
      bootID: '',
      containerRuntimeVersion: 'recording://1.0.0',
      kernelVersion: '6.12.0',
      kubeProxyVersion: '',
      kubeletVersion: 'v1.37.2',
      machineID: '',
      operatingSystem: 'linux',
      osImage: 'Sandbox',
      systemUUID: '',
      ...description.info,
    },
  }
}

export const isSchedulableNode = ({ spec, metadata }: Node): boolean =>
  spec.unschedulable !== true && !metadata.deletionTimestamp
