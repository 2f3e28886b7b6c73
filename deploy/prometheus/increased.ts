/**
 * Growth of counters in a window, as PromQL. Most counters here have no series before their first event, and `increase`
 * ignores the first value of a series. A series that did not exist at the start of the window counts from zero if this
 * is certain: its target was scraped then, or its process, whose counters start at zero, started in the last hour.
 * Without this condition, all earlier counts would seem new after an outage of Prometheus itself.
 */
export const increased = (series: string, window: string): string => {
  const seen = `(up offset ${window} == 1 or process_start_time_seconds > time() - 3600)`
  return `((${series} unless ${series} offset ${window} and on (job, instance) ${seen}) or increase(${series}[${window}]))`
}
