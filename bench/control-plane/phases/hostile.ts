import { setTimeout as pause } from 'node:timers/promises'
import { KubeConfig } from '@kubernetes/client-node'
import type { VarmorPolicy } from '../../../src/api/types.ts'
import { ApiError, ConnectionError, isNotFound } from '../../../src/kube/api-error.ts'
import { ApiClient } from '../../../src/kube/client.ts'
import { KubeConnection } from '../../../src/kube/connection.ts'
import { unlimited } from '../../../src/kube/limiter.ts'
import type { KubeObject } from '../../../src/kube/objects.ts'
import { varmorPolicies } from '../../../src/kube/own-kinds.ts'
import { leases } from '../../../src/kube/resources.ts'
import {
  mutatingName,
  mutatingWebhookConfigurations,
  validatingName,
  validatingWebhookConfigurations,
} from '../../../src/manager/admission/webhook-configurations.ts'
import { installNamespace } from '../bench-cluster.ts'
import { benchPolicy } from '../cluster-objects.ts'
import { compiled } from '../compiled.ts'
import type { Managed } from '../managed.ts'
import type { Bench } from '../phases.ts'
import { limit, startManager } from './common.ts'

/**
 * Seconds of each part of the measurement. `PER_SECOND`: number of ordinary policies, and of hostile policies, per
 * second.
 */
const PART = 30
const PER_SECOND = 10
const HOSTILE_TENANTS = 5

let serial = 0

/** A policy that differs from all others, so that the compilers cannot reuse results. */
function fresh(name: string, namespace: string): VarmorPolicy & KubeObject {
  const policy = benchPolicy(serial++)
  Object.assign(policy.metadata, { name: `${name}-${serial}`, namespace })
  policy.spec.policy.enhanceProtect!.appArmorRawRules = [{ rules: `deny /srv/${name}/${serial}/** w,` }]
  return policy
}

/**
 * Measures how policies that block a compiler delay other policies. Ordinary policies are reviewed ten times a second,
 * first alone, then beside as many hostile policies. No known policy blocks the compilers, so policies named `spins`
 * block them here.
 */
export async function hostile(bench: Bench): Promise<void> {
  const { cluster, table } = bench
  await withoutWebhooks(bench)
  // Stores policies as if no webhook existed; a new leader finds them.
  const stored = Array.from({ length: HOSTILE_TENANTS }, (_, i) => fresh('spins', `team-${i}`))
  await cluster.apply(stored)
  const manager = await startManager(bench, {
    compilers: { module: compiled('hostile-thread.ts') },
  })
  await manager.quiet(3_000, limit)
  table.add('hostile: only ordinary policies', await measured(bench, manager, async () => undefined))
  // The attackers have their own connections, because a waiting request occupies a connection.
  const attackers = clientOf(bench)
  const beside = await measured(bench, manager, (tick) =>
    applied(attackers, fresh('spins', `team-${tick % HOSTILE_TENANTS}`)),
  )
  table.add(`hostile: with ${PER_SECOND} hostile policies/s`, beside)
  table.add('hostile: results', `${fates.refused} refused, ${fates.putOff} to retry, ${fates.stored} stored`)
  await attackers.close()
  await cluster.deletePolicies()
  await cluster.gone(limit)
  await manager.stop()
}

function clientOf({ cluster }: Bench): ApiClient {
  const config = new KubeConfig()
  config.loadFromFile(cluster.cluster.kubeconfig)
  return new ApiClient({ connection: new KubeConnection(config), limiter: unlimited })
}

async function withoutWebhooks({ cluster: { client } }: Bench): Promise<void> {
  const gone = (error: unknown): void => {
    if (!isNotFound(error)) throw error
  }
  await client.delete(mutatingWebhookConfigurations, { name: mutatingName }).catch(gone)
  await client.delete(validatingWebhookConfigurations, { name: validatingName }).catch(gone)
}

/**
 * Reviews ordinary policies for a while beside other work.
 * @returns their latency, and the lease's renewals meanwhile
 */
async function measured(bench: Bench, manager: Managed, beside: (tick: number) => Promise<void>): Promise<string> {
  const times: number[] = []
  const under: Promise<void>[] = []
  const before = await manager.metric('varmor_compilations_total')
  const lease = followLease(bench)
  const end = performance.now() + PART * 1_000
  for (let tick = 0; performance.now() < end; tick++) {
    under.push(beside(tick))
    under.push(review(bench, fresh('web', `team-${10 + (tick % 10)}`)).then((time) => void times.push(time)))
    await pause(1_000 / PER_SECOND)
  }
  const gap = await lease.end()
  await Promise.all(under)
  times.sort((one, other) => one - other)
  const at = (part: number): string => times[Math.min(times.length - 1, Math.floor(times.length * part))]!.toFixed(0)
  const outcomes = [...(await manager.metric('varmor_compilations_total'))]
    .map(([outcome, count]): [string, number] => [/"(.*)"/.exec(outcome)![1]!, count - (before.get(outcome) ?? 0)])
    .filter(([, count]) => count > 0)
  return [
    `${times.length} reviews: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`,
    `longest time between renewals of the lease: ${gap.toFixed(1)} s`,
    `compilations: ${outcomes.map(([outcome, count]) => `${count} ${outcome}`).join(', ')}`,
  ].join('; ')
}

/** Milliseconds until the API server has both webhooks' answers. Nothing is stored. */
async function review({ cluster }: Bench, policy: VarmorPolicy & KubeObject): Promise<number> {
  const start = performance.now()
  await cluster.client.create(varmorPolicies, policy, { dryRun: true, deadline: 120_000 })
  return performance.now() - start
}

/**
 * Results of hostile policies. `stored`: the API server got no answer in time, and stored the policy. `putOff`: the
 * client must retry.
 */
const fates = { refused: 0, putOff: 0, stored: 0 }

async function applied(client: ApiClient, policy: VarmorPolicy & KubeObject): Promise<void> {
  try {
    await client.create(varmorPolicies, policy, { deadline: 15_000 })
    fates.stored++
  } catch (error) {
    if (error instanceof ApiError && error.code === 422) fates.refused++
    else if (error instanceof ApiError || error instanceof ConnectionError) fates.putOff++
    else throw error
  }
}

/** Watches the manager's lease. `end` returns the longest time between two renewals, in seconds. */
function followLease(bench: Bench): { end(): Promise<number> } {
  const client = clientOf(bench)
  let isOver = false
  const follow = async (): Promise<number> => {
    const renewals = new Set<number>()
    while (!isOver) {
      const { spec } = await client.get(leases, { name: 'varmor-manager', namespace: installNamespace })
      renewals.add(Date.parse(spec?.renewTime ?? ''))
      await pause(100)
    }
    await client.close()
    const all = [...renewals]
    return Math.max(...all.slice(1).map((time, i) => time - all[i]!)) / 1_000
  }
  const following = follow()
  return {
    end: () => {
      isOver = true
      return following
    },
  }
}
