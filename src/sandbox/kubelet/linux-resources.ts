import { parseQuantity } from '../../api/quantity.ts'
import type { Container, Pod } from '../controllers/types.ts'
import type { LinuxResources } from './cri-types.ts'

/** Microseconds: the period of the CPU quota. */
const period = 100_000

/**
 * Requests and limits of a container as control groups have them (kubernetes, pkg/kubelet/cm/helpers_linux.go and
 * pkg/kubelet/qos/policy.go).
 * @param nodeMemory bytes
 */
export function linuxResources(pod: Pod, container: Container, nodeMemory: number): LinuxResources {
  const amount = (of: 'requests' | 'limits', name: string): number =>
    parseQuantity(container.resources?.[of]?.[name] ?? 0) ?? 0
  const cpuLimit = amount('limits', 'cpu')
  const cpuRequest = amount('requests', 'cpu') || cpuLimit
  const memoryLimit = amount('limits', 'memory')
  return {
    cpuPeriod: period,
    cpuQuota: cpuLimit === 0 ? 0 : Math.max(1_000, Math.floor(cpuLimit * period)),
    cpuShares: Math.min(262_144, Math.max(2, Math.floor(cpuRequest * 1024))),
    memoryLimitInBytes: Math.floor(memoryLimit),
    oomScoreAdj: oomScore(pod, amount('requests', 'memory') || memoryLimit, nodeMemory),
  }
}

function oomScore({ status }: Pod, memoryRequest: number, nodeMemory: number): number {
  if (status?.qosClass === 'Guaranteed') return -997
  if (status?.qosClass !== 'Burstable') return 1000
  const score = Math.floor(1000 - (1000 * memoryRequest) / nodeMemory)
  // Between the two other classes.
  return Math.min(999, Math.max(3, score))
}
