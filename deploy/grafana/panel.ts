import { increased } from '../prometheus/increased.ts'

/** The specific parts of a dashboard panel. */
export interface Panel {
  title: string
  /** What it shows, and what to do about it. */
  description: string
  kind?: 'timeseries' | 'stat'
  unit: string
  /** With the name of each series. */
  queries: readonly (readonly [expression: string, legend: string])[]
  /** Red from this value; green below. */
  alarm?: number
  /** Red below this value; green from it. */
  least?: number
}

export interface Row {
  title: string
  panels: readonly Panel[]
}

export const node = 'instance=~"$node"'
export const interval = '$__rate_interval'
export const range = `[${interval}]`
/** Per second, by labels. */
export const rate = (labels: string, metric: string): string => `sum by (${labels}) (rate(${metric}{${node}}${range}))`
/** Growth, by labels. */
export const grown = (labels: string, metric: string): string =>
  `sum by (${labels}) ${increased(`${metric}{${node}}`, interval)}`
/** The same for the sum of all shown. */
export const grownInAll = (metric: string, window = interval): string =>
  `sum ${increased(`${metric}{${node}}`, window)}`
export const quantile = (q: number, metric: string, matchers = ''): string =>
  `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket${matchers}${range})))`
