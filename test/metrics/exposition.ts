/** An answer of `/metrics`, in the form that Prometheus reads. */
export interface Exposition {
  /** Names of series, with the `_bucket`, `_sum` and `_count` of histograms. */
  readonly names: ReadonlySet<string>
  readonly samples: readonly ReadSample[]
  /** The value of the only series with these labels, whatever other labels it has; undefined if none exists. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined
}

export interface ReadSample {
  name: string
  labels: Readonly<Record<string, string>>
  value: number
}

/**
 * Reads the Prometheus text format.
 * @throws on an invalid line
 */
export function readExposition(text: string): Exposition {
  const names = new Set<string>()
  const samples: ReadSample[] = []
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line)
    if (type?.[2] === 'histogram') for (const part of ['bucket', 'sum', 'count']) names.add(`${type[1]}_${part}`)
    else if (type !== null) names.add(type[1]!)
    else if (line !== '' && !line.startsWith('# HELP ')) samples.push(readSample(line))
  }
  const value: Exposition['value'] = (name, labels = {}) => {
    const found = samples.filter(
      (sample) => sample.name === name && Object.entries(labels).every(([label, of]) => sample.labels[label] === of),
    )
    if (found.length > 1) throw new Error(`${found.length} series are ${name} ${JSON.stringify(labels)}`)
    return found[0]?.value
  }
  return { names, samples, value }
}

function readSample(line: string): ReadSample {
  const parts = /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\]|\\.)*",?)*)\})? (\S+)$/.exec(line)
  if (parts === null) throw new Error(`this is no sample: ${line}`)
  const [, name, labels = '', value] = parts
  const pairs = Array.from(labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g), ([, label, of]) => [label!, of!] as const)
  return { name: name!, labels: Object.fromEntries(pairs), value: Number(value!.replace('Inf', 'Infinity')) }
}

/** Requests the metrics of a server on the loopback. */
export async function scrape(port: number): Promise<Exposition> {
  return readExposition(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text())
}
