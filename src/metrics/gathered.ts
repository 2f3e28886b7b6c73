import { Counter, Gauge, type Metric, type Registry } from 'prom-client'

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

/** A metric whose values are counted elsewhere, and read when somebody asks. */
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
        for (const { labels, value } of read()) this.set(labels, value)
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
