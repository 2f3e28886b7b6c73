/**
 * PromQL for the growth of counters in a window. Most counters have no series before their first event, and `increase`
 * ignores the first value of a series. So a new series counts from zero if Prometheus scraped its target at the start
 * of the window, or if its process started in the last hour. Other new series follow an outage of Prometheus: their
 * counts are old.
 */
export const increased = (series: string, window: string): string => {
  const seen = `(up offset ${window} == 1 or process_start_time_seconds > time() - 3600)`
  return `((${series} unless ${series} offset ${window} and on (job, instance) ${seen}) or increase(${series}[${window}]))`
}
