import type { Workload } from '../../audit/enrich/snapshot.ts'

type Labels = Readonly<Record<string, string>>

/** Characters of generated names and hashes (apimachinery's util/rand). */
const letters = '[bcdfghjklmnpqrstvwxz2456789]'
/**
 * If a pod's name has this length, the API server may have cut the controller's name to make room for generated
 * characters. The full name is then unknown.
 */
const cutFrom = 63

/**
 * Returns the workload that created a pod, if the pod's name and labels agree, because controllers derive the name from
 * the labels. Only users who may create pods in the namespace can forge the labels.
 * @returns undefined for a pod without a workload or with a workload of another kind
 */
export function workloadOf(podName: string, labels: Labels): Workload | undefined {
  if (podName.length >= cutFrom) return undefined
  const before = (ending: string): string | undefined => new RegExp(`^(.+)-${ending}$`).exec(podName)?.[1]
  const made = (kind: Workload['kind'], name: string | undefined) => (name === undefined ? undefined : { kind, name })
  const template = labels['pod-template-hash']
  if (template !== undefined)
    return isHash(template) ? made('Deployment', before(`${template}-${letters}{5}`)) : undefined
  if (labels['statefulset.kubernetes.io/pod-name'] === podName) return made('StatefulSet', before('[0-9]+'))
  const job = labels['batch.kubernetes.io/job-name'] ?? labels['job-name']
  if (job !== undefined) return podName.startsWith(`${job}-`) ? made('Job', job) : undefined
  if (labels['controller-revision-hash'] !== undefined && /^[0-9]+$/.test(labels['pod-template-generation'] ?? ''))
    return made('DaemonSet', before(`${letters}{5}`))
  return undefined
}

const isHash = (text: string): boolean => new RegExp(`^${letters}{1,10}$`).test(text)

/** Maximum labels of a pod in a line, and maximum characters of all these labels together. */
const max = { labels: 32, characters: 2048 }

/** The keys of the pod labels that are in a line, or all labels. */
export type LabelChoice = readonly string[] | 'all'

/** The chosen labels of a pod, in the order of their keys, up to the limits. */
export function chosenLabels(labels: Labels, choice: LabelChoice): { podLabels?: Labels; podLabelsCut?: true } {
  const wanted = choice === 'all' ? Object.keys(labels) : choice.filter((key) => Object.hasOwn(labels, key))
  const kept: Record<string, string> = {}
  let [count, characters] = [0, 0]
  for (const key of [...new Set(wanted)].sort()) {
    const value = labels[key]!
    characters += key.length + value.length
    if (++count > max.labels || characters > max.characters) return { podLabels: kept, podLabelsCut: true }
    kept[key] = value
  }
  return count === 0 ? {} : { podLabels: kept }
}
