/**
 * How much counters have grown in a window, as PromQL. Most counters here have no series before their first event, and `increase` sees
 * nothing of what a series begins with: one that was not there in the hour before the window counts from zero.
 */
export const increased = (series: string, window: string): string =>
  `((${series} unless max_over_time(${series}[1h] offset ${window})) or increase(${series}[${window}]))`
