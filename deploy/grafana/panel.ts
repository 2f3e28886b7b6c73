import { increased } from '../prometheus/increased.ts'

/** A panel of the dashboard, in what it has that others have not. */
export interface Panel {
  title: string
  /** What it says, and what to do when it says it. */
  description: string
  kind?: 'timeseries' | 'stat'
  unit: string
  /** With what each series is called. */
  queries: readonly (readonly [expression: string, legend: string])[]
  /** Red from here on; green below. */
  alarm?: number
  /** Red below; green from here on. */
  least?: number
}

export interface Row {
  title: string
  panels: readonly Panel[]
}

export const node = 'instance=~"$node"'
export const interval = '$__rate_interval'
export const range = `[${interval}]`
/** A second, by labels. */
export const rate = (labels: string, metric: string): string => `sum by (${labels}) (rate(${metric}{${node}}${range}))`
/** How many more they are now, by labels. */
export const grown = (labels: string, metric: string): string =>
  `sum by (${labels}) ${increased(`${metric}{${node}}`, interval)}`
/** The same of all that are shown. */
export const grownInAll = (metric: string, window = interval): string =>
  `sum ${increased(`${metric}{${node}}`, window)}`
export const quantile = (q: number, metric: string, matchers = ''): string =>
  `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket${matchers}${range})))`
