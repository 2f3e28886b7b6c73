import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Attempt, RequestObserver } from '../kube/caller.ts'
import type { Limiter } from '../kube/limiter.ts'
import { gathered } from './gathered.ts'

/** Metrics about calls to the API server, and about the queue of their limiter. */
export function apiMetrics(registry: Registry, limiter?: Limiter): RequestObserver {
  const registers = [registry]
  const labelNames = ['verb', 'resource', 'code'] as const
  const calls = new Counter({
    name: 'varmor_api_requests_total',
    help: 'Requests to the API server',
    labelNames,
    registers,
  })
  const running = new Gauge({
    name: 'varmor_api_requests_running',
    help: 'Requests that wait for the answer of the API server',
    registers,
  })
  const seconds = new Histogram({
    name: 'varmor_api_request_seconds',
    help: 'Seconds to the answer of the API server, without the wait in the rate limiter',
    labelNames: ['verb'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  })
  const waited = new Histogram({
    name: 'varmor_api_limiter_seconds',
    help: 'Seconds that requests waited in the rate limiter',
    labelNames: ['class'],
    buckets: [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30],
    registers,
  })
  if (limiter !== undefined)
    gathered(
      registry,
      { name: 'varmor_api_limiter_waiting', type: 'gauge', help: 'Requests that wait in the rate limiter' },
      () => [{ labels: {}, value: limiter.waiting }],
    )
  return {
    started: () => running.inc(),
    ended(attempt, outcome) {
      running.dec()
      calls.inc({ verb: attempt.verb, resource: resourceText(attempt), code: String(outcome.code) })
      // Do not count watches: their duration is not a latency.
      if (attempt.verb !== 'watch') seconds.observe({ verb: attempt.verb }, outcome.seconds)
      waited.observe({ class: attempt.class }, outcome.waited)
    },
  }
}

/** The resource as `kubectl` and RBAC write it, such as `varmorpolicies/status.crd.varmor.org`. */
function resourceText({ group, resource, subresource }: Attempt): string {
  const full = subresource === undefined ? resource : `${resource}/${subresource}`
  return group === '' ? full : `${full}.${group}`
}
