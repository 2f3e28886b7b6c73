import { increased } from '../prometheus/increased.ts'

/** The settings that differ between panels. */
export interface Panel {
  title: string
  /** What the panel shows, and what to do about it. */
  description: string
  kind?: 'timeseries' | 'stat'
  unit: string
  /** The queries, each with a name for its series. */
  queries: readonly (readonly [expression: string, legend: string])[]
  /** The panel is red at this value or above, and green below it. */
  alarm?: number
  /** The panel is red below this value, and green at it or above. */
  least?: number
}

export interface Row {
  title: string
  panels: readonly Panel[]
}

export const node = 'instance=~"$node"'
export const interval = '$__rate_interval'
export const range = `[${interval}]`
/** PromQL: the rate per second of a counter, summed by labels. */
export const rate = (labels: string, metric: string): string => `sum by (${labels}) (rate(${metric}{${node}}${range}))`
/** PromQL: the growth of a counter, summed by labels. */
export const grown = (labels: string, metric: string): string =>
  `sum by (${labels}) ${increased(`${metric}{${node}}`, interval)}`
/** PromQL: the growth of the sum of all series. */
export const grownInAll = (metric: string, window = interval): string =>
  `sum ${increased(`${metric}{${node}}`, window)}`
export const quantile = (q: number, metric: string, matchers = ''): string =>
  `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket${matchers}${range})))`
