import { Counter, Gauge, type Metric, type Registry } from 'prom-client'
import type { Histogram } from '../base/histogram.ts'

export interface Sample {
  labels: Record<string, string>
  value: number
}

export interface GatheredMetric {
  name: string
  type: 'counter' | 'gauge'
  help: string
  labelNames?: readonly string[]
}

/** A metric that reads its values at each scrape, because other code counts them. */
export function gathered(
  registry: Registry,
  { name, type, help, labelNames = [] }: GatheredMetric,
  read: () => readonly Sample[],
): Metric {
  const configuration = { name, help, labelNames: [...labelNames], registers: [registry] }
  if (type === 'gauge')
    return new Gauge({
      ...configuration,
      collect() {
        this.reset()
        for (const { labels, value } of read()) this.inc(labels, value)
      },
    })
  return new Counter({
    ...configuration,
    collect() {
      this.reset()
      for (const { labels, value } of read()) this.inc(labels, value)
    },
  })
}

/** A histogram that reads its values at each scrape. prom-client's own histogram only accepts single values. */
export function gatheredHistogram(
  registry: Registry,
  { name, help }: { name: string; help: string },
  histogram: Histogram,
): void {
  const get = async () => {
    const below = histogram.cumulative()
    const bucket = (le: number | string, value: number) => ({ labels: { le }, value, metricName: `${name}_bucket` })
    const values = [
      ...histogram.bounds.map((bound, i) => bucket(bound, below[i]!)),
      bucket('+Inf', histogram.count),
      { labels: {}, value: histogram.sum, metricName: `${name}_sum` },
      { labels: {}, value: histogram.count, metricName: `${name}_count` },
    ]
    return { name, help, type: 'histogram', values, aggregator: 'sum' }
  }
  // A registry uses only these fields of a metric.
  registry.registerMetric({ name, help, type: 'histogram', labelNames: [], get } as unknown as Metric)
}
