/**
 * How much counters have grown in a window, as PromQL. Most counters here have no series before their first event, and `increase` sees
 * nothing of what a series begins with. One that was not there when the window began counts from zero, where that is known: its target
 * was asked then, or its process, whose counters begin at zero, began in the last hour. Without this all that was ever counted would be
 * new after Prometheus itself was away.
 */
export const increased = (series: string, window: string): string => {
  const seen = `(up offset ${window} == 1 or process_start_time_seconds > time() - 3600)`
  return `((${series} unless ${series} offset ${window} and on (job, instance) ${seen}) or increase(${series}[${window}]))`
}
