import { increased } from '../prometheus/increased.ts'

/** The parts in which panels differ. */
export interface Panel {
  title: string
  /** What the panel shows, and what to do about it. */
  description: string
  kind?: 'timeseries' | 'stat'
  unit: string
  /** Each query with the name of its series. */
  queries: readonly (readonly [expression: string, legend: string])[]
  /** The panel is red from this value on, and green below it. */
  alarm?: number
  /** The panel is red below this value, and green from it on. */
  least?: number
}

export interface Row {
  title: string
  panels: readonly Panel[]
}

export const node = 'instance=~"$node"'
export const interval = '$__rate_interval'
export const range = `[${interval}]`
/** The rate per second, by labels. */
export const rate = (labels: string, metric: string): string => `sum by (${labels}) (rate(${metric}{${node}}${range}))`
/** The growth, by labels. */
export const grown = (labels: string, metric: string): string =>
  `sum by (${labels}) ${increased(`${metric}{${node}}`, interval)}`
/** The growth of the sum of all shown series. */
export const grownInAll = (metric: string, window = interval): string =>
  `sum ${increased(`${metric}{${node}}`, window)}`
export const quantile = (q: number, metric: string, matchers = ''): string =>
  `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket${matchers}${range})))`
